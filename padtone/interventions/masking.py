"""Mask, trim or replace the padding of a loaded pipeline, inside a `with` block."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from picturelab.pipeline import Pipeline
from picturelab.remarks import remark

from ..families.family import Family, every_token
from ..families.registry import family_of
from ..hooks.encoder import padding_ids
from ..hooks.following import PromptFollower
from ..hooks.hiding import hide_padding
from ..hooks.padding_rows import Padding
from ..hooks.texts import Text
from .encoding import encode_prompts, same_for_all
from .filling import check_filling, fill_padding
from .ite import swap_rows


@contextmanager
def mask_padding(pipe: Pipeline, keep: int = 0) -> Iterator[None]:
    """Hide the padding from the text encoders' and the denoiser's attention.

    Works for prompts and negative prompts, each member of a batch by its own length, and also where
    the stock attention processor ignores masks (SD 3, AuraFlow) or applies them wrongly (Chroma).
    Masks leave the fastest attention kernels; `trim_padding` gives the same image in less time.

    Args:
        keep: padding tokens that stay visible in each encoder, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    family = _hidable_family(pipe, keep, "mask")
    if keep == 0:
        _remark_if_masked(family, "masking")
    with _hide(pipe, family, Padding(pipe, keep), trim=False, what=f"masked with keep={keep}"):
        yield


@contextmanager
def trim_padding(pipe: Pipeline, keep: int = 0, to_multiple: int = 1) -> Iterator[None]:
    """Take the padding out of the denoiser's text, so that it attends to fewer tokens.

    The encoders are masked as in `mask_padding`. A batch is cut to its longest member, the shorter
    ones are masked.

    Args:
        keep: padding tokens that stay in each encoder's rows, those nearest to the prompt.
        to_multiple: `keep` is raised until the text has a multiple of so many rows, or all its padding: kernels may be
            faster at some lengths than at shorter ones. A batch goes by its longest prompt, and negative prompts by
            their own. The images are those of the larger `keep`.

    Raises:
        ValueError: an unknown pipeline, a family without padding, `keep` or `to_multiple` out of range; `to_multiple`
            in a family whose denoiser reads several encoders' rows, or not all of one's.
    """
    family = _hidable_family(pipe, keep, "trim")
    _check_multiple(family, to_multiple)
    what = f"trimmed with keep={keep}" + (f", to_multiple={to_multiple}" if to_multiple > 1 else "")
    with _hide(pipe, family, Padding(pipe, keep, to_multiple), trim=True, what=what):
        yield


@contextmanager
def replace_padding(pipe: Pipeline, source: str = "clean", filling: str | None = None) -> Iterator[None]:
    """Put other rows in place of the prompt's padding, before the denoiser sees it.

    The prompt's own rows, the negative prompt and the pooled vector stay as they are.

    Args:
        source: "clean" (N padding tokens encoded alone), "empty_prompt" (the encoding of ""), or any
            other prompt, whose rows at the same positions are used.
        filling: instead of a source, what the encoder reads in the padding's places: "repeat" (the prompt again and
            again) or "commas".

    Raises:
        ValueError: an unknown pipeline, a family without padding, an unknown filling or one beside a source; when the
            pipeline runs: nothing to fill with, see `filling.fill_padding`.
        TypeError: the source is no text.
    """
    family = _padded_family(pipe, "replace")
    if not isinstance(source, str):
        raise TypeError(f'source is {source!r}; it can be "clean", "empty_prompt" or a prompt')
    check_filling(filling, source)
    _remark_if_masked(family, "replacing")

    def encode(text: Text, bound: dict) -> torch.Tensor:
        """The rows to take the padding's from, one of each prompt."""
        prompts, options, change = text.prompts, bound, None
        if filling is None and source != "clean":
            prompts, options = ["" if source == "empty_prompt" else source], same_for_all(family, bound)
        prompts = prompts * (len(text.members) // len(prompts))
        if filling is not None:
            change = fill_padding(pipe, filling, prompts, options)
        elif source == "clean":
            change = padding_ids(pipe)
        encoded = encode_prompts(pipe, prompts, options, change=change, warn_cut=False)
        rows: torch.Tensor = encoded.arguments[text.name]
        return rows.transpose(0, 1) if text.name in family.layers_first else rows

    def replace(text: Text, bound: dict) -> torch.Tensor:
        rows = torch.stack([member.visible for member in text.members if member is not None])
        if rows.all():
            return text.embeds
        other, layers_first = encode(text, bound), text.name in family.layers_first
        length = other.shape[2 if layers_first else 1]
        if length != rows.shape[1]:
            raise ValueError(
                f"{source!r} has {length} rows of text and the prompt {rows.shape[1]}: this pipeline does "
                'not pad to a fixed length, use source="clean"'
            )
        images = len(text.embeds) // len(rows)
        rows, other = (x.repeat_interleave(images, dim=0) for x in (rows, other))
        if layers_first:  # (batch, layers, rows, width)
            rows = rows[:, None]
        return swap_rows(text.embeds, other.to(text.embeds), rows, layers_first)

    with _alone(pipe, f"replaced by {filling or source!r}") as first:
        if first:
            with PromptFollower(pipe, family, Padding(pipe, tokens_kept=0), replace=replace).following():
                yield
        else:
            yield


@contextmanager
def _hide(pipe: Pipeline, family: Family, padding: Padding, trim: bool, what: str) -> Iterator[None]:
    with _alone(pipe, what) as first:
        if first:
            with hide_padding(pipe, family, padding, trim):
                yield
        else:
            yield


def _hidable_family(pipe: Pipeline, keep: int, action: str) -> Family:
    family = _padded_family(pipe, action)
    if not isinstance(keep, int) or keep < 0:
        raise ValueError(f"keep is {keep!r}; it is a number of padding tokens, 0 or more")
    return family


def _check_multiple(family: Family, to_multiple: int) -> None:
    if not isinstance(to_multiple, int) or to_multiple < 1:
        raise ValueError(f"to_multiple is {to_multiple!r}; it is a number of rows of text, 1 or more")
    stretches = [encoder for encoder in family.encoders if encoder.feeds == "rows"]
    if to_multiple > 1 and (len(stretches) > 1 or family.rows is not every_token):
        raise ValueError(
            f"to_multiple is {to_multiple}, and the rows of {family.title}'s text are not the tokens that one encoder "
            "reads, so their number cannot be chosen: give a larger keep"
        )


_ACTIVE: weakref.WeakKeyDictionary[Pipeline, str] = weakref.WeakKeyDictionary()


@contextmanager
def _alone(pipe: Pipeline, what: str) -> Iterator[bool]:
    """True if nothing is done to this pipeline's padding yet; False if the very same is done.

    Raises:
        ValueError: something else is done to it.
    """
    if pipe in _ACTIVE:
        if _ACTIVE[pipe] != what:
            raise ValueError(
                f"this pipeline's padding is {_ACTIVE[pipe]} already; leave that with block first"
            )
        yield False
        return
    _ACTIVE[pipe] = what
    try:
        yield True
    finally:
        del _ACTIVE[pipe]


def _remark_if_masked(family: Family, what: str) -> None:
    if family.denoiser_masks:
        remark(f"{family.title} masks its padding already: {what} it changes nothing")


def _padded_family(pipe: Pipeline, action: str) -> Family:
    family = family_of(pipe)
    family.check_possible(action)
    if not family.pads:
        raise ValueError(
            f"{family.title} hands the denoiser no padding, so there is none to act on: {family.note}"
        )
    return family
