"""Padding hidden from the text encoders' and the denoiser's attention, or taken out of the denoiser's text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import denoiser_of
from .attention import intercept_attention
from .denoiser import TEXT, argument, attention_modules, text_argument, text_of, with_argument
from .padding_rows import Padding, PromptFollower


@contextmanager
def hide_padding(pipe: Pipeline, family: Family, tokens_kept: int, trim: bool) -> Iterator[None]:
    """Inside the block, nobody attends to padding but for `tokens_kept` tokens of each encoder.

    Args:
        trim: take it out of the denoiser's text instead of masking it there.
    """
    padding = Padding(pipe, tokens_kept)
    follower = PromptFollower(pipe, family, padding, change=padding.hide)
    visible = _VisibleText(family, follower, trim)
    with follower.following(), ExitStack() as stack:
        # First of all hooks: others may build masks from the text, and must see it as it will be.
        enter = denoiser_of(pipe, family).register_forward_pre_hook(
            visible.enter, with_kwargs=True, prepend=True
        )
        stack.callback(enter.remove)
        if family.joint and not visible.mask_is_honoured:
            stack.enter_context(intercept_attention(attention_modules(pipe, family), visible.joint_attention))
        elif not family.joint:
            for module in attention_modules(pipe, family):
                hook = module.register_forward_pre_hook(visible.cross_attention, with_kwargs=True)
                stack.callback(hook.remove)
        yield


class _VisibleText:
    """What the denoiser may see of the text in the call that is running."""

    def __init__(self, family: Family, follower: PromptFollower, trim: bool) -> None:
        self.family, self.follower, self.trim = family, follower, trim
        # These two take the mask of the text alone and do the right thing with it.
        self.mask_is_honoured = family.mask_argument in (
            "encoder_attention_mask",
            "encoder_hidden_states_mask",
        )
        self.rows: torch.Tensor | None = None  # (batch, rows) bool
        self.columns: torch.Tensor | None = None  # rows that somebody in the batch sees

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The denoiser's call with its text trimmed and its mask set."""
        family = self.family
        text = text_of(module, args, kwargs)
        visible, real = self.follower.rows_of(text)
        self.rows = visible.to(text.device)
        self.columns = self.rows.any(dim=0).nonzero().flatten()
        if not family.joint:
            return self._with_own_masks(module, real.to(text.device), args, kwargs)
        if self.trim:
            args, kwargs = with_argument(module, text_argument(module), text[:, self.columns], args, kwargs)
            ids = argument(module, "txt_ids", args, kwargs)
            if ids is not None:  # (rows, axes) or (batch, rows, axes); rows keep their positions
                args, kwargs = with_argument(module, "txt_ids", ids[..., self.columns, :], args, kwargs)
            self.rows = self.rows[:, self.columns]
        if family.mask_argument is not None:
            mask = self.rows.to(torch.long) if self.mask_is_honoured else None
            args, kwargs = with_argument(module, family.mask_argument, mask, args, kwargs)
        return args, kwargs

    def _with_own_masks(
        self, module: torch.nn.Module, real: torch.Tensor, args: tuple, kwargs: dict
    ) -> tuple[tuple, dict]:
        """Put HunyuanDiT's masks in the order of its texts: its pipeline mixes up several images a prompt."""
        first = 0
        for name in self.family.own_masks:
            mask = argument(module, name, args, kwargs)
            rows = real[:, first : first + mask.shape[1]]
            args, kwargs = with_argument(module, name, rows.to(mask.dtype), args, kwargs)
            first += mask.shape[1]
        return args, kwargs

    def joint_attention(self, layer: int, call: dict) -> dict:
        """Hide the text's keys from every query of a joint attention."""
        rows = self.rows
        if rows is None or rows.all():
            return call
        count, length = call["key"].shape[0], call["key"].shape[-2]
        if rows.shape[0] != count:
            raise ValueError(f"attention has a batch of {count} where the text has one of {rows.shape[0]}")
        keys = rows.new_ones(count, length)
        first = self.family.offset if self.family.attention == "text first" else length - rows.shape[1]
        keys[:, first : first + rows.shape[1]] = rows
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
        text = argument(module, TEXT, args, kwargs)
        if text is None or self.rows is None:  # a self-attention of the same name
            return args, kwargs
        embeds, others = (text[0], text[1:]) if isinstance(text, tuple) else (text, None)
        rows = self.rows
        if self.trim:
            embeds, rows = embeds[:, self.columns], rows[:, self.columns]
            trimmed = embeds if others is None else (embeds, *others)
            args, kwargs = with_argument(module, TEXT, trimmed, args, kwargs)
        bias = None
        if not rows.all():
            bias = torch.zeros(rows.shape, dtype=embeds.dtype, device=embeds.device)
            bias = bias.masked_fill(~rows, torch.finfo(embeds.dtype).min)[:, None]  # (batch, 1, rows)
        return with_argument(module, "attention_mask", bias, args, kwargs)
