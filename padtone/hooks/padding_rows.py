"""Which tokens of an encoder's input are padding, and which rows of the denoiser's text that makes padding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family, TextEncoder
from ..maths.roles import by_stretch, nearest_padding
from .encoder import EncoderCall, filled_rows, real_positions, tokenizer_of


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
        tokenizer = tokenizer_of(self.pipe, encoder)
        real = [
            real_positions(tokenizer, row, None if mask is None else mask[i].tolist())
            for i, row in enumerate(ids.tolist())
        ]
        shortest = max(map(len, real)) + self.tokens_kept
        kept = self.tokens_kept + -shortest % self.multiple
        visible = torch.zeros(ids.shape, dtype=torch.bool)
        for i, places in enumerate(real):
            visible[i, [*places, *nearest_padding(places, ids.shape[1], kept)]] = True
        return visible


def turns_of(calls: Sequence[EncoderCall]) -> list[dict[str, EncoderCall]]:
    """The encoders' calls text by text: a pipeline has each encoder read the prompt, then the negative prompt."""
    turns: list[dict[str, EncoderCall]] = []
    for call in calls:
        free = next((turn for turn in turns if call.encoder.name not in turn), None)
        if free is None:
            turns.append(free := {})
        free[call.encoder.name] = call
    return turns


def calls_of_texts(
    family: Family, calls: Sequence[EncoderCall], prompts: int
) -> list[dict[str, EncoderCall]]:
    """The encoders' calls text by text, a text being the prompts of a batch: the prompts, then the negative ones.

    Args:
        prompts: how many there are in a batch.
    """
    if family.reads == "a prompt":
        calls = [
            _together(same[first : first + prompts])
            for name in dict.fromkeys(call.encoder.name for call in calls)
            for same in [[call for call in calls if call.encoder.name == name]]
            for first in range(0, len(same), prompts)
        ]
    elif family.reads == "all":  # the negative prompts stand first
        calls = [half for call in calls for half in reversed(_split(call, prompts))]
    return turns_of(calls)


def _together(calls: Sequence[EncoderCall]) -> EncoderCall:
    """Calls of one encoder with a prompt each as one call, evened out at the end under a mask."""
    if len(calls) == 1:
        return calls[0]
    ids = [call.ids[0] for call in calls]
    mask = [torch.ones_like(row) for row in ids]
    padded = (torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) for rows in (ids, mask))
    return EncoderCall(calls[0].encoder, *padded)


def _split(call: EncoderCall, prompts: int) -> list[EncoderCall]:
    masks = [None] * len(call.ids) if call.mask is None else call.mask.split(prompts)
    return [EncoderCall(call.encoder, i, m) for i, m in zip(call.ids.split(prompts), masks, strict=False)]


def visible_rows(
    pipe: Pipeline, family: Family, padding: Padding, calls: dict[str, EncoderCall], prompts: int, length: int
) -> list[torch.Tensor]:
    """Per prompt, which rows stay, (rows,) bool: those that any of the encoders that fill them lets stay.

    A text that no encoder made keeps all of them, and so do rows that no encoder fills.

    Args:
        prompts: how many there are where no encoder was called.
        length: the text's rows.
    """
    count = max((len(call.ids) for call in calls.values()), default=prompts)
    rows = [torch.ones(length, dtype=torch.bool) for _ in range(count)]
    seen = {name: padding.visible(call.encoder, call.ids, call.mask) for name, call in calls.items()}
    for i, visible in enumerate(rows):
        filled = list(filled_rows(pipe, family, calls, i, length))
        for one in filled:
            visible[list(one.rows or ())] = False
        for one in filled:
            added = 0  # rows that the pipeline made, behind the encoder's
            for row, place in zip(one.rows or (), one.tokens, strict=False):
                added += place < 0
                stays = added <= padding.tokens_kept if place < 0 else seen[one.call.encoder.name][i, place]
                visible[row] |= bool(stays)
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
