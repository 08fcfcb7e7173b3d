"""Mask, trim or replace the padding of a loaded pipeline, inside a `with` block."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from picturelab.pipeline import Pipeline
from picturelab.remarks import remark

from ..families.family import Family
from ..families.registry import family_of
from ..hooks.encoder import padding_ids
from ..hooks.following import PromptFollower
from ..hooks.hiding import hide_padding
from ..hooks.padding_rows import Padding
from ..hooks.texts import Text
from .encoding import encode_prompts, same_for_all
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
    with _hide(pipe, keep, trim=False):
        yield


@contextmanager
def trim_padding(pipe: Pipeline, keep: int = 0) -> Iterator[None]:
    """Take the padding out of the denoiser's text, so that it attends to fewer tokens.

    The encoders are masked as in `mask_padding`. A batch is cut to its longest member, the shorter
    ones are masked.

    Args:
        keep: padding tokens that stay in each encoder's rows, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    with _hide(pipe, keep, trim=True):
        yield


@contextmanager
def replace_padding(pipe: Pipeline, source: str = "clean") -> Iterator[None]:
    """Put other rows in place of the prompt's padding, before the denoiser sees it.

    The negative prompt and the pooled vector stay as they are.

    Args:
        source: "clean" (N padding tokens encoded alone), "empty_prompt" (the encoding of ""), or any
            other prompt, whose rows at the same positions are used.

    Raises:
        ValueError: an unknown pipeline, or a family without padding.
    """
    family = _padded_family(pipe, "replace")
    if not isinstance(source, str):
        raise TypeError(f'source is {source!r}; it can be "clean", "empty_prompt" or a prompt')
    _remark_if_masked(family, "replacing")

    def replace(text: Text, bound: dict) -> torch.Tensor:
        change = padding_ids(pipe) if source == "clean" else None
        prompts = text.prompts if source == "clean" else ["" if source == "empty_prompt" else source]
        prompts = prompts * (len(text.members) // len(prompts))
        options = bound if source == "clean" else same_for_all(family, bound)
        other = encode_prompts(pipe, prompts, options, change=change, warn_cut=False).arguments[text.name]
        layers_first = text.name in family.layers_first
        other = other.transpose(0, 1) if layers_first else other
        rows = torch.stack([member.visible for member in text.members if member is not None])
        if rows.all():
            return text.embeds
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

    with _alone(pipe, f"replaced by {source!r}") as first:
        if first:
            with PromptFollower(pipe, family, Padding(pipe, tokens_kept=0), replace=replace).following():
                yield
        else:
            yield


@contextmanager
def _hide(pipe: Pipeline, keep: int, trim: bool) -> Iterator[None]:
    family = _padded_family(pipe, "trim" if trim else "mask")
    if not isinstance(keep, int) or keep < 0:
        raise ValueError(f"keep is {keep!r}; it is a number of padding tokens, 0 or more")
    if keep == 0 and not trim:
        _remark_if_masked(family, "masking")
    with _alone(pipe, f"{'trimmed' if trim else 'masked'} with keep={keep}") as first:
        if first:
            with hide_padding(pipe, family, keep, trim):
                yield
        else:
            yield


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
