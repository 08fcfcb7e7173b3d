"""The denoiser's calls and parts: what a call gives each argument, which step it is, where its blocks are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import denoiser_of
from .latest import Latest
from .running import innermost_call

TEXT = "encoder_hidden_states"


def argument(module: torch.nn.Module, name: str, args: tuple, kwargs: dict) -> Any:
    """The value that a call of `module` gives its argument `name`; None if it gives none."""
    if name in kwargs:
        return kwargs[name]
    place = _place(module, name)
    return args[place] if place is not None and place < len(args) else None


def with_argument(
    module: torch.nn.Module, name: str, value: Any, args: tuple, kwargs: dict
) -> tuple[tuple, dict]:
    """The same call with another value for `name`."""
    place = _place(module, name)
    if name not in kwargs and place is not None and place < len(args):
        return (*args[:place], value, *args[place + 1 :]), kwargs
    return args, kwargs | {name: value}


def _place(module: torch.nn.Module, name: str) -> int | None:
    names = _parameters(type(module).forward)
    return names.index(name) if name in names else None


@functools.lru_cache(maxsize=256)  # a signature takes longer to read than a small block to run
def _parameters(forward: Callable) -> tuple[str, ...]:
    return tuple(inspect.signature(forward).parameters)[1:]  # without self


def arguments_of(module: torch.nn.Module, args: tuple, kwargs: dict) -> dict:
    """All arguments of a call by name."""
    return dict(zip(_parameters(type(module).forward), args, strict=False)) | kwargs


def text_of(module: torch.nn.Module, family: Family, args: tuple, kwargs: dict) -> Any:
    """The text that a call gives the denoiser: (batch, rows, width), or Z-Image's list of (rows, width)."""
    return argument(module, family.text_argument, args, kwargs)


def rows_of_text(family: Family, arguments: dict) -> int:
    """How many rows of text a block of the denoiser has, from the denoiser's arguments."""
    if family.text_rows is not None:
        return family.text_rows(arguments)
    return int(arguments[family.text_argument].shape[1])


def rows_in_blocks(family: Family, rows: torch.Tensor, first: int) -> torch.Tensor:
    """What is said of a text's rows, (..., rows), as a block has them: HiDream's blocks hold some twice.

    Args:
        first: rows of the text's first tensor.
    """
    return torch.cat([rows, rows[..., first:]], dim=-1) if family.behind_again else rows


def same_rows(text: Any, known: Any) -> bool:
    """Are these the same encodings, up to the cast that a pipeline may make, and to zeros behind a shorter one?"""
    if len(text) != len(known):
        return False
    if not isinstance(known, list):
        known = list(known) if text[0].shape == known[0].shape else []
    return len(text) == len(known) and all(
        len(a) >= len(b) and torch.equal(a[: len(b)], b.to(a.device, a.dtype)) and not a[len(b) :].any()
        for a, b in zip(text, known, strict=True)
    )


def place_in_batch(text: Any, known: Any, same: Callable[[Any, Any], bool] = same_rows) -> int | None:
    """Where in a denoiser's batch the encodings `known` lie, as one run; None: they are not in it.

    Guidance puts a negative prompt before or after them, or in a call of its own. The last place
    wins, for pipelines put the negative prompt first.
    """
    for first in range(len(text) - len(known), -1, -1):
        if same(text[first : first + len(known)], known):
            return first
    return None


class PlaceOfTexts:
    """Where the encodings that a caller gave to a pipeline lie in the batches of one run.

    Where the pipeline hands on the very tensors, only they are meant, and not a negative prompt of the same
    values; else those are meant that have their values.
    """

    def __init__(self, texts: Any) -> None:
        self._texts = texts
        self._handed_on = False
        self._latest = Latest(self._find)

    def of(self, text: Any) -> int | None:
        """Their place in a batch; None: they are not in it."""
        return self._latest(text)

    def _find(self, text: Any) -> int | None:
        place = place_in_batch(text, self._texts, _same_memory)
        if place is None and not self._handed_on:
            return place_in_batch(text, self._texts)
        self._handed_on = True
        return place


def _same_memory(text: Any, known: Any) -> bool:
    return all(in_one_place(a, b) for a, b in zip(text, known, strict=True))


def in_one_place(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Are these two views of the very same memory?"""
    return (
        (one.device, one.dtype, one.shape, one.stride())
        == (other.device, other.dtype, other.shape, other.stride())
        and one.data_ptr() == other.data_ptr()
        and one.numel() > 0
    )


class StepCounter:
    """Which step of the run a denoiser call belongs to: counted by changes of the timestep.

    Counting calls would go wrong with guidance in separate calls; looking the timestep up would need
    each pipeline's own scaling of it.
    """

    def __init__(self, pipe: Pipeline) -> None:
        self._pipe = pipe
        self._last: float | None = None
        self._steps = Latest(self._count)  # once a run: to count them waits for the GPU
        self.step = -1

    def see(self, arguments: dict) -> float:
        """Count a call of the denoiser and return its place in the run, in [0, 1): step / steps.

        Args:
            arguments: the call's, by name.
        """
        timestep = next(arguments[name] for name in ("timestep", "timesteps", "t") if name in arguments)
        now = float(torch.as_tensor(timestep).flatten()[0])
        if now != self._last:
            self._last, self.step = now, self.step + 1
        return self.step / max(self._steps(self._pipe.scheduler.timesteps), self.step + 1)

    def _count(self, timesteps: Any) -> int:
        """Heun's timesteps come twice and are one step; image to image leaves out the first."""
        count = len(timesteps)
        call = innermost_call()
        if call is not None and call.pipe is self._pipe:  # else the number is an earlier run's
            count = getattr(self._pipe, "num_timesteps", None) or count
        return len(torch.unique_consecutive(torch.as_tensor(timesteps)[-count:]))


def text_readers(pipe: Pipeline, family: Family) -> list[torch.nn.Module]:
    """The denoiser, and the ControlNets beside it, which read the same text."""
    controlnet = getattr(pipe, "controlnet", None)
    beside = list(getattr(controlnet, "nets", [controlnet])) if controlnet is not None else []
    return [denoiser_of(pipe, family), *beside]


def attention_modules(denoiser: torch.nn.Module, family: Family) -> list[torch.nn.Module]:
    """The modules that attend to text, in running order of their blocks.

    Raises:
        ValueError: the denoiser has none.
    """
    if family.joint:
        modules = [block.get_submodule(family.attends) for block in blocks_of(denoiser, family)]
    else:
        named = [
            (name, m) for name, m in denoiser.named_modules() if name.rsplit(".", 1)[-1] == family.attends
        ]
        # A UNet lists its middle last and runs it between its downward and its upward half.
        places = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
        modules = [m for _, m in sorted(named, key=lambda entry: places.get(entry[0].split(".")[0], 0))]
    if not modules:
        raise ValueError(f"{type(denoiser).__name__} has no attention module named {family.attends!r}")
    return modules


def blocks_of(
    denoiser: torch.nn.Module, family: Family, with_text_blocks: bool = False
) -> list[torch.nn.Module]:
    """The transformer blocks, double-stream and single-stream, in running order.

    Args:
        with_text_blocks: also those that hold text alone; they come first.

    Raises:
        ValueError: the denoiser has no such list of blocks.
    """
    blocks: list[torch.nn.Module] = []
    without = () if with_text_blocks else family.text_blocks
    for name in (name for name in family.blocks if name not in without):
        if not hasattr(denoiser, name):
            raise ValueError(
                f"{type(denoiser).__name__} has no blocks named {name!r}: {family.title} needs them"
            )
        blocks.extend(getattr(denoiser, name))
    return blocks
