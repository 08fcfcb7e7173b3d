"""Mask, trim or replace the padding of a loaded pipeline, inside a `with` block."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from picturelab import remark

from ..families.registry import Family, denoiser_of, family_of
from ..hooks.denoiser import argument, attention_modules, intercept_attention, replaced, text_argument
from ..hooks.encoder import encode_prompts, padding_ids
from ..hooks.padding import Padding, Text, Texts, shown_rows, watched
from .ite import swap_rows


@contextmanager
def mask_padding(pipe: Any, keep: int = 0) -> Iterator[None]:
    """Hide the padding from the text encoders' and the denoiser's attention.

    Works for prompts and negative prompts, each member of a batch by its own length, and also where
    the stock attention processor ignores masks (SD 3, AuraFlow) or applies them wrongly (Chroma).
    Masks leave the fastest attention kernels; `trim_padding` gives the same image in less time.

    Args:
        keep: padding tokens that stay visible in each encoder, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    with _hidden(pipe, keep, trim=False):
        yield


@contextmanager
def trim_padding(pipe: Any, keep: int = 0) -> Iterator[None]:
    """Take the padding out of the denoiser's text, so that it attends to fewer tokens.

    The encoders are masked as in `mask_padding`. A batch is cut to its longest member, the shorter
    ones are masked.

    Args:
        keep: padding tokens that stay in each encoder's rows, those nearest to the prompt.

    Raises:
        ValueError: an unknown pipeline, a family without padding, or `keep` out of range.
    """
    with _hidden(pipe, keep, trim=True):
        yield


@contextmanager
def replace_padding(pipe: Any, source: str = "clean") -> Iterator[None]:
    """Put other rows in place of the prompt's padding, before the denoiser sees it.

    The negative prompt and the pooled vector stay as they are.

    Args:
        source: "clean" (N padding tokens encoded alone), "empty_prompt" (the encoding of ""), or any
            other prompt, whose rows at the same positions are used.

    Raises:
        ValueError: an unknown pipeline, or a family without padding.
    """
    family = _padded_family(pipe)
    if not isinstance(source, str):
        raise TypeError(f'source is {source!r}; it can be "clean", "empty_prompt" or a prompt')
    _remark_if_masked(family, "replacing")

    def replace(text: Text, bound: dict) -> Any:
        change = padding_ids(pipe) if source == "clean" else None
        prompts = text.prompts if source == "clean" else ["" if source == "empty_prompt" else source]
        prompts = prompts * (len(text.keeps) // len(prompts))
        other = encode_prompts(pipe, prompts, bound, change=change, warn_cut=False).arguments[text.name]
        rows = torch.stack(text.keeps)
        if rows.all():
            return text.embeds
        if other.shape[1] != rows.shape[1]:
            raise ValueError(
                f"{source!r} has {other.shape[1]} rows of text and the prompt {rows.shape[1]}: this pipeline does "
                'not pad to a fixed length, use source="clean"'
            )
        images = len(text.embeds) // len(rows)
        rows, other = (x.repeat_interleave(images, dim=0) for x in (rows, other))
        return swap_rows(text.embeds, other.to(text.embeds), rows)

    with _alone(pipe, f"replaced by {source!r}") as first:
        if first:
            with watched(pipe, family, Padding(pipe, keep=0), replace=replace):
                yield
        else:
            yield


@contextmanager
def _hidden(pipe: Any, keep: int, trim: bool) -> Iterator[None]:
    family = _padded_family(pipe)
    if not isinstance(keep, int) or keep < 0:
        raise ValueError(f"keep is {keep!r}; it is a number of padding tokens, 0 or more")
    if keep == 0 and not trim:
        _remark_if_masked(family, "masking")
    padding = Padding(pipe, keep)
    with ExitStack() as stack:
        if not stack.enter_context(_alone(pipe, f"{'trimmed' if trim else 'masked'} with keep={keep}")):
            yield
            return
        texts = stack.enter_context(watched(pipe, family, padding, change=padding.hide))
        stack.enter_context(_hidden_from_denoiser(pipe, family, texts, trim))
        yield


_ACTIVE: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


@contextmanager
def _alone(pipe: Any, what: str) -> Iterator[bool]:
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


def _padded_family(pipe: Any) -> Family:
    family = family_of(pipe)
    if not family.pads:
        raise ValueError(
            f"{family.title} hands the denoiser no padding, so there is none to act on: {family.note}"
        )
    return family


@contextmanager
def _hidden_from_denoiser(pipe: Any, family: Family, texts: Texts, trim: bool) -> Iterator[None]:
    denoiser = denoiser_of(pipe, family)
    hidden = _Hidden(family, trim)
    with ExitStack() as stack:
        # First of all hooks: others may build masks from the text, and must see it as it will be.
        before = denoiser.register_forward_pre_hook(
            lambda module, args, kwargs: hidden.enter(module, args, kwargs, texts),
            with_kwargs=True,
            prepend=True,
        )
        stack.callback(before.remove)
        if family.joint and not hidden.honoured:
            stack.enter_context(intercept_attention(attention_modules(pipe, family), hidden.joint_attention))
        elif not family.joint:
            for module in attention_modules(pipe, family):
                hook = module.register_forward_pre_hook(hidden.cross_attention, with_kwargs=True)
                stack.callback(hook.remove)
        yield


class _Hidden:
    """What the denoiser may see of the text in the call that is running."""

    def __init__(self, family: Family, trim: bool) -> None:
        self.family = family
        self.trim = trim
        # These two take the mask of the text alone and do the right thing with it.
        self.honoured = family.mask_argument in ("encoder_attention_mask", "encoder_hidden_states_mask")
        self.shown: torch.Tensor | None = None  # (batch, rows) bool
        self.columns: torch.Tensor | None = None  # rows that somebody in the batch sees
        self.latest: tuple | None = None  # a pipeline gives the same text at every step

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict, texts: Texts) -> tuple[tuple, dict]:
        """The denoiser's call with its text trimmed and its mask set."""
        family = self.family
        text = argument(module, text_argument(module), args, kwargs)
        if self.latest is None or self.latest[0] is not text:
            self.latest = text, *shown_rows(text, texts, family)
        _, shown, real = self.latest
        self.shown = shown.to(text.device)
        self.columns = self.shown.any(dim=0).nonzero().flatten()
        if not family.joint:
            return self._with_own_masks(module, real.to(text.device), args, kwargs)
        if self.trim:
            args, kwargs = replaced(module, text_argument(module), text[:, self.columns], args, kwargs)
            ids = argument(module, "txt_ids", args, kwargs)
            if ids is not None:  # (rows, axes) or (batch, rows, axes); rows keep their positions
                args, kwargs = replaced(module, "txt_ids", ids[..., self.columns, :], args, kwargs)
            self.shown = self.shown[:, self.columns]
        if family.mask_argument is not None:
            mask = self.shown.to(torch.long) if self.honoured else None
            args, kwargs = replaced(module, family.mask_argument, mask, args, kwargs)
        return args, kwargs

    def _with_own_masks(
        self, module: torch.nn.Module, real: torch.Tensor, args: tuple, kwargs: dict
    ) -> tuple[tuple, dict]:
        """Put HunyuanDiT's masks in the order of its texts: its pipeline mixes up several images a prompt."""
        first = 0
        for name in self.family.own_masks:
            mask = argument(module, name, args, kwargs)
            rows = real[:, first : first + mask.shape[1]]
            args, kwargs = replaced(module, name, rows.to(mask.dtype), args, kwargs)
            first += mask.shape[1]
        return args, kwargs

    def joint_attention(self, layer: int, call: dict) -> dict:
        """Hide the text's keys from every query of a joint attention."""
        shown = self.shown
        if shown is None or shown.all():
            return call
        count, length = call["key"].shape[0], call["key"].shape[-2]
        if shown.shape[0] != count:
            raise ValueError(f"attention has a batch of {count} where the text has one of {shown.shape[0]}")
        keys = shown.new_ones(count, length)
        first = self.family.offset if self.family.attention == "text first" else length - shown.shape[1]
        keys[:, first : first + shown.shape[1]] = shown
        mask = call.get("attn_mask")
        keys = keys[:, None, None, :]  # (batch, heads, queries, keys)
        if mask is None:
            mask = keys
        elif mask.dtype == torch.bool:
            mask = mask & keys
        else:
            mask = mask.masked_fill(~keys, float("-inf"))
        return call | {"attn_mask": mask}

    def cross_attention(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """Give `attn2` the visible rows and a bias that hides the rest; the stock mask is replaced."""
        text = argument(module, "encoder_hidden_states", args, kwargs)
        if text is None or self.shown is None:  # a self-attention of the same name
            return args, kwargs
        rows, rest = (text[0], text[1:]) if isinstance(text, tuple) else (text, None)
        shown = self.shown
        if self.trim:
            rows, shown = rows[:, self.columns], shown[:, self.columns]
            args, kwargs = replaced(
                module, "encoder_hidden_states", rows if rest is None else (rows, *rest), args, kwargs
            )
        bias = None
        if not shown.all():
            bias = torch.zeros(shown.shape, dtype=rows.dtype, device=rows.device)
            bias = bias.masked_fill(~shown, torch.finfo(rows.dtype).min)[:, None]  # (batch, 1, rows)
        return replaced(module, "attention_mask", bias, args, kwargs)
