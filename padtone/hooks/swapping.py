"""Text rows of one member of a batch, written over those of the others while the denoiser runs (IDP)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import denoiser_of, family_of
from .denoiser import (
    TEXT,
    StepCounter,
    argument,
    arguments_of,
    attention_modules,
    blocks_of,
    place_in_batch,
    text_of,
    with_argument,
)
from .latest import Latest


@dataclass(frozen=True)
class Patch:
    """What to write: the recipients' text rows, in which blocks and in which part of the run.

    Attributes:
        rows: (recipients, rows) bool; True is overwritten with the donor's row.
        layers: indices of blocks; None: all.
        span: the part of the run, as fractions; a step belongs to it by where it begins.
    """

    rows: torch.Tensor
    layers: frozenset[int] | None = None
    span: tuple[float, float] = (0.0, 1.0)


def count_layers(pipe: Pipeline, family: Family) -> int:
    """How many layers `Patch.layers` can name.

    Raises:
        ValueError: the denoiser has no such blocks.
    """
    return len(blocks_of(pipe, family, True) if family.joint else attention_modules(pipe, family))


@contextmanager
def overwrite_rows(pipe: Pipeline, texts: Any, patch: Patch) -> Iterator[None]:
    """Inside the block, the pipeline's run of `texts` lets every later member read the first one's rows.

    Args:
        texts: `prompt_embeds` as the pipeline is given them, donor first, then one recipient per row of
            `patch.rows`. The denoiser's calls are recognised by them, so that negative prompts,
            in the same call or in one of their own, are left alone.

    Raises:
        RuntimeError: the pipeline ran without these texts.
    """
    family = family_of(pipe)
    run = _Run(pipe, family, texts, patch)
    denoiser = denoiser_of(pipe, family)
    with ExitStack() as stack:
        stack.callback(denoiser.register_forward_pre_hook(run.enter, with_kwargs=True).remove)
        if family.joint:
            text_only = len(blocks_of(pipe, family, True)) - len(blocks_of(pipe, family))
            hooks = [(b, run.block(i, i < text_only)) for i, b in enumerate(blocks_of(pipe, family, True))]
        else:
            hooks = [(m, run.cross_attention(i)) for i, m in enumerate(attention_modules(pipe, family))]
        for module, hook in hooks:
            stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield
    if not run.recognised:
        raise RuntimeError(
            f"the {family.title} pipeline never gave its denoiser the texts to swap rows between"
        )


class _Run:
    """One run of the pipeline: which call of the denoiser is the prompts', and at which step."""

    def __init__(self, pipe: Pipeline, family: Family, texts: Any, patch: Patch) -> None:
        self.family, self.patch = family, patch
        self.place = Latest(lambda text: place_in_batch(text, texts))
        self.counter = StepCounter(pipe)
        self.recognised = False  # some call was the prompts'
        self.donor = 0  # the donor's place in the running batch
        self.active = False  # is the running call the prompts', and within the part of the run to patch?
        self.call: dict = {}
        self.masks: dict[tuple, torch.Tensor] = {}

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        place = self.place(text_of(module, args, kwargs))
        self.active = False
        if place is None:
            return
        self.recognised = True
        self.call = arguments_of(module, args, kwargs)
        first, last = self.patch.span
        self.donor, self.active = place, first <= self.counter.see(self.call) < last

    def block(self, layer: int, text_only: bool) -> Callable:
        """A hook for a block of a joint transformer: two streams, or one sequence of both."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            if not self._active(layer):
                return args, kwargs
            name = TEXT
            start = self.family.offset
            if argument(module, TEXT, args, kwargs) is None:
                name = next(iter(arguments_of(module, args, kwargs)))  # one sequence: the first argument
                if self.family.image_rows is not None and not text_only:
                    start = self.family.image_rows(self.call)
            stream = argument(module, name, args, kwargs)
            return with_argument(module, name, self._overwrite(stream, start), args, kwargs)

        return hook

    def cross_attention(self, layer: int) -> Callable:
        """A hook for what one `attn2` reads."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            text = argument(module, TEXT, args, kwargs)
            if text is None or not self._active(layer):
                return args, kwargs
            if isinstance(text, tuple):
                return with_argument(module, TEXT, (self._overwrite(text[0], 0), *text[1:]), args, kwargs)
            return with_argument(module, TEXT, self._overwrite(text, 0), args, kwargs)

        return hook

    def _active(self, layer: int) -> bool:
        return self.active and (self.patch.layers is None or layer in self.patch.layers)

    def _overwrite(self, stream: torch.Tensor, start: int) -> torch.Tensor:
        """(batch, rows, width), with the recipients' chosen rows taken from the donor's."""
        mask = self._mask(stream, start)
        return torch.where(mask, stream[self.donor : self.donor + 1], stream)

    def _mask(self, stream: torch.Tensor, start: int) -> torch.Tensor:
        """(batch, rows, 1) bool: which rows of a stream are the donor's. The blocks of a run share it."""
        key = (*stream.shape[:2], start, self.donor, stream.device)
        if key not in self.masks:
            rows = self.patch.rows.to(stream.device)
            # A masked text is cut to its visible rows (Lumina 2); no row beyond them is to be overwritten.
            length = min(rows.shape[1], stream.shape[1] - start)
            mask = torch.zeros(*stream.shape[:2], 1, dtype=torch.bool, device=stream.device)
            mask[self.donor + 1 : self.donor + 1 + len(rows), start : start + length, 0] = rows[:, :length]
            self.masks[key] = mask
        return self.masks[key]
