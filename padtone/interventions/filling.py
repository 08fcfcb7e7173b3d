"""What may stand in the padding's place for an encoder to read: the prompt again, or commas.

Makers fill a prompt up to its fixed length in these ways by hand, to be rid of padding; here only the padding's rows
are made of it, and the prompt's own rows stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import TextEncoder
from ..families.registry import family_of
from ..hooks.encoder import Change, tokenizer_of
from ..hooks.padding_rows import Padding
from .encoding import call_options, prompt_of, roles_in

FILLINGS = ("repeat", "commas")


def check_filling(filling: str | None, source: str) -> None:
    """Is this a filling, and is it the only thing named that padding should become?

    Raises:
        ValueError: it is not.
    """
    if filling is None:
        return
    if filling not in FILLINGS:
        raise ValueError(f"filling is {filling!r}; it can be {' or '.join(map(repr, FILLINGS))}")
    if source != "clean":
        raise ValueError(
            f"filling is {filling!r} and source is {source!r}; padding becomes one of them, so give one"
        )


def fill_padding(pipe: Pipeline, filling: str, prompts: Sequence[str], options: dict[str, Any]) -> Change:
    """A change that writes words into the padding of each prompt of a batch, over and over until it is full.

    The last one may be cut short: behind the prompt at its end, before it (padding at the left) at its beginning.
    Where the denoiser does not mask padding itself, the encoder's mask is opened for what is written.

    Raises:
        ValueError: when an encoder runs: a prompt has no token to repeat, or the tokenizer knows no comma.
    """
    family, options = family_of(pipe), call_options(pipe, options)
    padding = Padding(pipe, tokens_kept=0)

    def change(
        encoder: TextEncoder, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        real = padding.visible(encoder, ids, mask)  # (batch, tokens)
        filled = ids.clone()
        for i, prompt in enumerate(prompts):
            row, row_mask = ids[i].tolist(), None if mask is None else mask[i].long().tolist()
            if filling == "commas":
                words = _comma(pipe, encoder)
            else:
                read = prompt_of(encoder.prompt, prompt, options, i)
                roles, _ = roles_in(pipe, family, encoder, row, row_mask, read, options)
                words = [token for token, role in zip(row, roles, strict=True) if role == "prompt"]
                if not words:
                    raise ValueError(
                        f"the prompt {read!r} has no token that could be repeated in its padding"
                    )
            filled[i, ~real[i]] = _enough(words, row, real[i].tolist()).to(ids)
        if mask is not None and not family.denoiser_masks:
            mask = torch.ones_like(mask)
        return filled, mask

    return change


def _enough(words: Sequence[int], row: Sequence[int], real: Sequence[bool]) -> torch.Tensor:
    """The words over and over, one for each padding token of a row."""
    before = real.index(True) if True in real else 0
    behind = len(row) - before - sum(real)
    many = [*words] * len(row)
    return torch.tensor(many[len(many) - before :] + many[:behind])


def _comma(pipe: Pipeline, encoder: TextEncoder) -> list[int]:
    tokenizer = tokenizer_of(pipe, encoder)
    ids: list[int] = tokenizer(",", add_special_tokens=False).input_ids
    if not ids or tokenizer.unk_token_id in ids:
        raise ValueError(
            f"{encoder.tokenizer} knows no comma: it reads ',' as {tokenizer.convert_ids_to_tokens(ids)}"
        )
    return ids
