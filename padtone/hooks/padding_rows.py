"""Which tokens of an encoder's input are padding, and which rows of the denoiser's text that makes padding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from ..maths.roles import by_stretch, masked_span, real_span
from .encoder import EncoderCall, filled_rows, tokenizer_of


@dataclass
class Padding:
    """Which tokens of an encoder's input stay: the real ones and `tokens_kept` padding tokens next to them.

    Attributes:
        multiple: more padding stays until the longest text of a batch has a multiple of so many tokens.
    """

    pipe: Pipeline
    tokens_kept: int
    multiple: int = 1

    def visible(self, encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """(batch, tokens) bool."""
        spans = [
            self._real(encoder, row, None if mask is None else mask[i].tolist())
            for i, row in enumerate(ids.tolist())
        ]
        shortest = max(end - start for start, end in spans) + self.tokens_kept
        kept = self.tokens_kept + -shortest % self.multiple
        visible = torch.zeros(ids.shape, dtype=torch.bool)
        for i, (start, end) in enumerate(spans):
            if start > 0:  # padded at the left: the nearest padding lies before the prompt
                visible[i, max(0, start - kept) : end] = True
            else:
                visible[i, start : end + kept] = True
        return visible

    def _real(self, encoder: TextEncoder, ids: Sequence[int], mask: Sequence[int] | None) -> tuple[int, int]:
        """First and one-past-last token that is not padding."""
        if mask is not None:
            return masked_span(mask)
        tokenizer = tokenizer_of(self.pipe, encoder)
        pad, eos, side = tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.padding_side
        return real_span(ids, pad=pad, eos=eos, side=side)


def turns_of(calls: Sequence[EncoderCall]) -> list[dict[str, EncoderCall]]:
    """The encoders' calls text by text: a pipeline has each encoder read the prompt, then the negative prompt."""
    turns: list[dict[str, EncoderCall]] = []
    for call in calls:
        free = next((turn for turn in turns if call.encoder.name not in turn), None)
        if free is None:
            turns.append(free := {})
        free[call.encoder.name] = call
    return turns


def visible_rows(
    pipe: Pipeline, family: Family, padding: Padding, calls: dict[str, EncoderCall], embeds: torch.Tensor
) -> list[torch.Tensor]:
    """Per prompt, which rows stay, (rows,) bool: those that any of the encoders that fill them lets stay.

    A text that no encoder made keeps all of them, and so do rows that no encoder fills.
    """
    count = max((len(call.ids) for call in calls.values()), default=len(embeds))
    rows = [torch.ones(embeds.shape[1], dtype=torch.bool) for _ in range(count)]
    seen = {name: padding.visible(call.encoder, call.ids, call.mask) for name, call in calls.items()}
    for i, visible in enumerate(rows):
        filled = list(filled_rows(pipe, family, calls, i, embeds.shape[1]))
        for one in filled:
            visible[list(one.rows or ())] = False
        for one in filled:
            for row, place in zip(one.rows or (), one.tokens, strict=False):
                visible[row] |= place >= 0 and bool(seen[one.call.encoder.name][i, place])
    return rows


def seen_together(
    pipe: Pipeline, family: Family, padding: Padding, calls: Sequence[EncoderCall]
) -> dict[tuple[str, int], torch.Tensor]:
    """Masks for encoders that share rows and disagree about them: a row that stays, stays for each.

    So a causal encoder makes of the rows that stay what it makes of them without any mask.

    Returns:
        {(encoder's name, the how-manieth of its calls): (batch, tokens) bool}; empty where all agree.
    """
    masks: dict[tuple[str, int], torch.Tensor] = {}
    for turn, here in enumerate(turns_of(calls)):
        own = {name: padding.visible(call.encoder, call.ids, call.mask) for name, call in here.items()}
        shared = {name: visible.clone() for name, visible in own.items()}
        length = max(call.ids.shape[1] for call in here.values())
        for i in range(max(len(call.ids) for call in here.values())):
            for stretch in by_stretch(filled_rows(pipe, family, here, i, length)):
                for one, other in itertools.product(stretch, stretch):
                    count = min(len(one.tokens), len(other.tokens))
                    mine, theirs = one.tokens[:count], other.tokens[:count]
                    shared[one.call.encoder.name][i, mine] |= own[other.call.encoder.name][i, theirs]
        masks |= {(n, turn): mask for n, mask in shared.items() if not torch.equal(mask, own[n])}
    return masks
