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
    PlaceOfTexts,
    StepCounter,
    argument,
    arguments_of,
    attention_modules,
    blocks_of,
    rows_of_text,
    text_of,
    text_readers,
    with_argument,
)
from .in_flight import InFlight
from .running import StateOfRuns


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
    denoiser = denoiser_of(pipe, family)
    return len(blocks_of(denoiser, family, True) if family.joint else attention_modules(denoiser, family))


@contextmanager
def overwrite_rows(pipe: Pipeline, texts: Any, patch: Patch) -> Iterator[None]:
    """Inside the block, the pipeline's run of `texts` lets every later member read the first one's rows.

    Args:
        texts: `prompt_embeds` as the pipeline is given them, donor first, then one recipient per row of
            `patch.rows`. The denoiser's calls are recognised by them, so that negative prompts,
            in the same call or in one of their own, are left alone; so is another pipeline with the same
            denoiser.

    Raises:
        RuntimeError: the pipeline ran without these texts.
    """
    family = family_of(pipe)
    swap = _Swap(pipe, family, texts, patch)
    # Layers are counted in the denoiser alone; where none are named, its ControlNets belong to "all".
    readers = text_readers(pipe, family)[: None if patch.layers is None else 1]
    with ExitStack() as stack:
        for reader in readers:
            stack.enter_context(swap.in_flight.following(reader))
            enter = reader.register_forward_pre_hook(swap.enter, with_kwargs=True, prepend=True)
            stack.callback(enter.remove)
        for module, hook in [pair for reader in readers for pair in swap.hooks(reader)]:
            stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        yield
    if not swap.recognised:
        raise RuntimeError(
            f"the {family.title} pipeline never gave its denoiser the texts to swap rows between"
        )


@dataclass(frozen=True)
class _Call:
    """A call of the denoiser whose rows are to be swapped: its arguments by name, and the donor's place."""

    arguments: dict
    donor: int


class _Run:
    """What is known of one run of the pipeline: where the texts lie in its batches, and its steps."""

    def __init__(self, pipe: Pipeline, texts: Any) -> None:
        self.place = PlaceOfTexts(texts)
        self.counter = StepCounter(pipe)


class _Swap:
    """Recognises the calls of the denoiser that are the prompts', and swaps rows in their blocks."""

    def __init__(self, pipe: Pipeline, family: Family, texts: Any, patch: Patch) -> None:
        self.family, self.patch = family, patch
        self.runs = StateOfRuns(pipe, lambda: _Run(pipe, texts))
        self.in_flight: InFlight[_Call] = InFlight()
        self.recognised = False  # some call was the prompts'
        self.masks: dict[tuple, torch.Tensor] = {}

    def hooks(self, reader: torch.nn.Module) -> list[tuple[torch.nn.Module, Callable]]:
        """The parts that read text, in running order, and what is to be hung before each."""
        if not self.family.joint:
            modules = attention_modules(reader, self.family)
            return [(module, self.cross_attention(i)) for i, module in enumerate(modules)]
        blocks = blocks_of(reader, self.family, True)
        text_only = len(blocks) - len(blocks_of(reader, self.family))
        return [(block, self.block(i, i < text_only)) for i, block in enumerate(blocks)]

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        self.in_flight.begin(None)
        run = self.runs.here()
        text = text_of(module, self.family, args, kwargs)
        place = None if run is None or text is None else run.place.of(text)
        if run is None or place is None:
            return
        self.recognised = True
        arguments = arguments_of(module, args, kwargs)
        first, last = self.patch.span
        if first <= run.counter.see(arguments) < last:
            self.in_flight.settle(_Call(arguments, place))

    def block(self, layer: int, text_only: bool) -> Callable:
        """A hook for a block of a joint transformer: two streams, or one sequence of both."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            call = self._call(layer)
            if call is None:
                return args, kwargs
            name = TEXT
            start = self.family.offset
            if argument(module, TEXT, args, kwargs) is None:
                name = next(iter(arguments_of(module, args, kwargs)))  # one sequence: the first argument
                if not text_only:
                    start += self._image_rows(module, name, args, kwargs, call)
            stream = argument(module, name, args, kwargs)
            if self.family.rows_first:
                stream = self._overwrite(stream.transpose(0, 1), start, call.donor).transpose(0, 1)
            else:
                stream = self._overwrite(stream, start, call.donor)
            return with_argument(module, name, stream, args, kwargs)

        return hook

    def _image_rows(self, module: torch.nn.Module, name: str, args: tuple, kwargs: dict, call: _Call) -> int:
        """How many rows stand before the text in a block's one sequence."""
        if self.family.attention == "text first":
            return 0
        if self.family.image_rows is not None:
            return self.family.image_rows(call.arguments)
        rows = argument(module, name, args, kwargs).shape[0 if self.family.rows_first else 1]
        return int(rows) - rows_of_text(self.family, call.arguments)

    def cross_attention(self, layer: int) -> Callable:
        """A hook for what one `attn2` reads."""

        def hook(module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            text, call = argument(module, TEXT, args, kwargs), self._call(layer)
            if text is None or call is None:
                return args, kwargs
            if isinstance(text, tuple):
                rows = (self._overwrite(text[0], 0, call.donor), *text[1:])
                return with_argument(module, TEXT, rows, args, kwargs)
            return with_argument(module, TEXT, self._overwrite(text, 0, call.donor), args, kwargs)

        return hook

    def _call(self, layer: int) -> _Call | None:
        """The call that is running, if rows are to be swapped in this layer of it."""
        wanted = self.patch.layers is None or layer in self.patch.layers
        return self.in_flight.state if wanted else None

    def _overwrite(self, stream: torch.Tensor, start: int, donor: int) -> torch.Tensor:
        """(batch, rows, width), with the recipients' chosen rows taken from the donor's."""
        mask = self._mask(stream, start, donor)
        return torch.where(mask, stream[donor : donor + 1], stream)

    def _mask(self, stream: torch.Tensor, start: int, donor: int) -> torch.Tensor:
        """(batch, rows, 1) bool: which rows of a stream are the donor's. The blocks of a run share it."""
        key = (*stream.shape[:2], start, donor, stream.device)
        if key not in self.masks:
            rows = self.patch.rows.to(stream.device)
            # A masked text is cut to its visible rows (Lumina 2); no row beyond them is to be overwritten.
            length = min(rows.shape[1], stream.shape[1] - start)
            mask = torch.zeros(*stream.shape[:2], 1, dtype=torch.bool, device=stream.device)
            mask[donor + 1 : donor + 1 + len(rows), start : start + length, 0] = rows[:, :length]
            self.masks[key] = mask
        return self.masks[key]
