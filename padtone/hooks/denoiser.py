"""What the denoiser receives: read and replaced by torch's own hooks, never by rewriting a forward."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..families.registry import Family, denoiser_of

TEXT = "encoder_hidden_states"
_SDPA = torch.nn.functional.scaled_dot_product_attention
_SDPA_NAMES = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
See = Callable[[int, dict], dict]


def argument(module: torch.nn.Module, name: str, args: tuple, kwargs: dict) -> Any:
    """The value that a call of `module` gives its argument `name`; None if it gives none."""
    if name in kwargs:
        return kwargs[name]
    place = _place(module, name)
    return args[place] if place is not None and place < len(args) else None


def replaced(module: torch.nn.Module, name: str, value: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """The same call with another value for `name`."""
    place = _place(module, name)
    if name not in kwargs and place is not None and place < len(args):
        return (*args[:place], value, *args[place + 1 :]), kwargs
    return args, kwargs | {name: value}


def _place(module: torch.nn.Module, name: str) -> int | None:
    names = list(inspect.signature(type(module).forward).parameters)[1:]  # without self
    return names.index(name) if name in names else None


def text_argument(module: torch.nn.Module) -> str:
    """Name of the denoiser's argument for text; Z-Image's is a list of captions."""
    return TEXT if _place(module, TEXT) is not None else "cap_feats"


def arguments_of(module: torch.nn.Module, args: tuple, kwargs: dict) -> dict:
    """All arguments of a call by name."""
    names = list(inspect.signature(type(module).forward).parameters)[1:]
    return dict(zip(names, args, strict=False)) | kwargs


def same_rows(text: Any, known: Any) -> bool:
    """Are these the same encodings, up to the cast that a pipeline may make?"""
    if len(text) != len(known):
        return False
    return all(
        a.shape == b.shape and torch.equal(a, b.to(a.device, a.dtype))
        for a, b in zip(text, known, strict=True)
    )


def locate(text: Any, known: Any) -> int | None:
    """Where in a denoiser's batch the encodings `known` lie, as one run; None: they are not in it.

    Guidance puts a negative prompt before or after them, or in a call of its own. The last place
    wins, for pipelines put the negative prompt first.
    """
    for first in range(len(text) - len(known), -1, -1):
        if same_rows(text[first : first + len(known)], known):
            return first
    return None


class StepCounter:
    """Which step of the run a denoiser call belongs to: counted by changes of the timestep.

    Counting calls would go wrong with guidance in separate calls; looking the timestep up would need
    each pipeline's own scaling of it.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._last: float | None = None
        self.step = -1

    def see(self, timestep: Any) -> float:
        """Count a call and return its place in the run, in [0, 1): step / steps."""
        now = float(torch.as_tensor(timestep).flatten()[0])
        if now != self._last:
            self._last, self.step = now, self.step + 1
        steps = len(torch.unique_consecutive(torch.as_tensor(self._pipe.scheduler.timesteps)))
        return self.step / max(steps, self.step + 1)


def attention_modules(pipe: Any, family: Family) -> list[torch.nn.Module]:
    """The modules that attend to text, in running order of their blocks.

    Raises:
        ValueError: the denoiser has none.
    """
    denoiser = denoiser_of(pipe, family)
    if family.joint:
        found = [getattr(block, family.attends) for block in blocks_of(pipe, family)]
    else:
        named = [
            (name, m) for name, m in denoiser.named_modules() if name.rsplit(".", 1)[-1] == family.attends
        ]
        # A UNet lists its middle last and runs it between its downward and its upward half.
        places = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
        found = [m for _, m in sorted(named, key=lambda entry: places.get(entry[0].split(".")[0], 0))]
    if not found:
        raise ValueError(f"{type(denoiser).__name__} has no attention module named {family.attends!r}")
    return found


def blocks_of(pipe: Any, family: Family, with_text_blocks: bool = False) -> list[torch.nn.Module]:
    """The transformer blocks, double-stream and single-stream, in running order.

    Args:
        with_text_blocks: also those that hold text alone; they come first.

    Raises:
        ValueError: the denoiser has no such list of blocks.
    """
    denoiser = denoiser_of(pipe, family)
    found: list[torch.nn.Module] = []
    for name in (
        family.blocks if with_text_blocks else (n for n in family.blocks if n not in family.text_blocks)
    ):
        if not hasattr(denoiser, name):
            raise ValueError(
                f"{type(denoiser).__name__} has no blocks named {name!r}: {family.title} needs them"
            )
        found.extend(getattr(denoiser, name))
    return found


class _Attention(TorchFunctionMode):
    """Sees and changes torch's scaled dot-product attention while one attention module runs."""

    def __init__(self, see: Callable[[dict], dict]) -> None:
        super().__init__()
        self._see = see
        self.calls = 0

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not _SDPA:
            return func(*args, **kwargs)
        self.calls += 1
        return func(**self._see(dict(zip(_SDPA_NAMES, args, strict=False)) | kwargs))


@contextmanager
def intercept_attention(modules: Sequence[torch.nn.Module], see: See) -> Iterator[None]:
    """Call `see(layer, arguments)` for each scaled dot-product attention of these modules.

    No processor is replaced: whatever the processor does before (norms, rotary positions, LoRA) has
    been done when torch's own function is called, and that call is what is seen.

    Raises:
        RuntimeError: at run time, a module attends by other means (xformers, flash, sliced attention).
    """
    running: list[_Attention] = []

    def enter(layer: int) -> Callable:
        def hook(module: torch.nn.Module, args: tuple) -> None:
            mode = _Attention(lambda call: see(layer, call))
            mode.__enter__()
            running.append(mode)

        return hook

    def leave(module: torch.nn.Module, args: tuple, output: Any) -> None:
        if not running:  # an earlier hook failed before ours was entered
            return
        mode = running.pop()
        mode.__exit__(None, None, None)
        # After a failure inside the module torch calls us with no output: let that error through.
        if output is not None and not mode.calls:
            raise RuntimeError(
                f"{type(module.processor).__name__} does not use torch's scaled_dot_product_attention, so padtone "
                "cannot see its attention; set the default processor and backend, or use trim_padding"
            )

    with ExitStack() as stack:
        for layer, module in enumerate(modules):
            # Of two blocks around one another the inner is entered first, and sees what the outer changes.
            stack.callback(module.register_forward_pre_hook(enter(layer), prepend=True).remove)
            stack.callback(module.register_forward_hook(leave, always_call=True).remove)
        yield
