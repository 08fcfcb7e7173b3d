"""Padding hidden from the text encoders' and the denoiser's attention, or taken out of the denoiser's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from .attention import intercept_attention
from .denoiser import (
    TEXT,
    argument,
    attention_modules,
    rows_in_blocks,
    text_of,
    text_readers,
    with_argument,
)
from .following import PromptFollower
from .in_flight import InFlight
from .kernels import refuse_first_keys
from .padding_rows import Padding
from .texts import Batch


@contextmanager
def hide_padding(pipe: Pipeline, family: Family, padding: Padding, trim: bool) -> Iterator[None]:
    """Inside the block, nobody attends to padding but for the tokens that stay.

    Args:
        trim: take it out of the denoiser's text instead of masking it there.
    """
    follower = PromptFollower(pipe, family, padding, masked=True)
    with follower.following(), ExitStack() as stack:
        for reader in text_readers(pipe, family):
            visible = _VisibleText(family, follower, trim)
            stack.enter_context(visible.in_flight.following(reader))
            # First of all hooks: others may build masks from the text, and must see it as it will be.
            enter = reader.register_forward_pre_hook(visible.enter, with_kwargs=True, prepend=True)
            stack.callback(enter.remove)
            modules = attention_modules(reader, family)
            if family.joint and not visible.mask_is_honoured:
                stack.enter_context(intercept_attention(modules, visible.joint_attention))
            elif not family.joint:
                for module in modules:
                    hook = module.register_forward_pre_hook(visible.cross_attention, with_kwargs=True)
                    stack.callback(hook.remove)
        yield


@dataclass(frozen=True)
class _Visible:
    """What one call of the denoiser may see of its text.

    Attributes:
        rows: (batch, rows) bool.
        columns: rows that somebody in the batch sees.
    """

    rows: torch.Tensor
    columns: torch.Tensor


class _VisibleText:
    """Hides the padding of the text that one module reads, in the calls of the pipeline that is followed."""

    def __init__(self, family: Family, follower: PromptFollower, trim: bool) -> None:
        self.family, self.follower, self.trim = family, follower, trim
        self.mask_is_honoured = family.mask_argument is not None and family.mask_is_honoured
        self.in_flight: InFlight[_Visible] = InFlight()

    def enter(self, module: torch.nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        """The denoiser's call with its text trimmed and its mask set."""
        self.in_flight.begin(None)
        text = text_of(module, self.family, args, kwargs)
        if text is None:  # a ControlNet that reads none
            return args, kwargs
        behind = argument(module, self.family.behind, args, kwargs) if self.family.behind else None
        if behind is not None and self.family.layers_first:
            behind = behind.transpose(0, 1)
        members = self.follower.members_of(Batch(text, behind))
        if members is None:
            return args, kwargs
        length = text.shape[1] + (0 if behind is None else behind.shape[-2])
        rows = _rows_of([member.visible if member else None for member in members], length).to(text.device)
        real = _rows_of([member.real if member else None for member in members], length).to(text.device)
        if self.mask_is_honoured:
            refuse_first_keys(family=self.family, denoiser=module, rows=rows)
        columns = rows.any(dim=0).nonzero().flatten()
        first = text.shape[1]
        args, kwargs, rows = self._changed(rows, columns, real, module, args, kwargs)
        if self.trim and self.family.joint:
            first = int((columns < first).sum())
        rows = rows_in_blocks(self.family, rows, first)
        self.in_flight.settle(_Visible(rows, columns))
        return args, kwargs

    def _changed(
        self,
        rows: torch.Tensor,
        columns: torch.Tensor,
        real: torch.Tensor,
        module: torch.nn.Module,
        args: tuple,
        kwargs: dict,
    ) -> tuple[tuple, dict, torch.Tensor]:
        """The call's arguments, and which rows of its text are seen then."""
        family = self.family
        if not family.joint:
            return *self._with_own_masks(module, real, args, kwargs), rows
        if self.trim:
            args, kwargs = self._trimmed(columns, rows.shape[1], module, args, kwargs)
            rows = rows[:, columns]
        if family.mask_argument is not None:
            stock = argument(module, family.mask_argument, args, kwargs)
            mask = rows.to(torch.long if stock is None else stock.dtype) if self.mask_is_honoured else None
            args, kwargs = with_argument(module, family.mask_argument, mask, args, kwargs)
        return args, kwargs, rows

    def _trimmed(
        self, columns: torch.Tensor, length: int, module: torch.nn.Module, args: tuple, kwargs: dict
    ) -> tuple[tuple, dict]:
        """The call with these columns of its text alone; rows keep their positions."""
        family = self.family
        text = text_of(module, family, args, kwargs)
        of_text, behind = columns[columns < text.shape[1]], columns[columns >= text.shape[1]] - text.shape[1]
        args, kwargs = with_argument(module, family.text_argument, text[:, of_text], args, kwargs)
        if family.behind is not None:
            further = argument(module, family.behind, args, kwargs)[..., behind, :]
            args, kwargs = with_argument(module, family.behind, further, args, kwargs)
        ids = argument(module, "txt_ids", args, kwargs)
        if ids is not None:  # (rows, axes) or (batch, rows, axes)
            args, kwargs = with_argument(module, "txt_ids", ids[..., columns, :], args, kwargs)
        if family.positions is not None:
            places = argument(module, family.positions, args, kwargs)
            places = torch.cat([places[columns], places[length:]])
            args, kwargs = with_argument(module, family.positions, places, args, kwargs)
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
        visible = self._visible()
        if visible is None or visible.rows.all():
            return call
        rows = visible.rows
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
        if text is None:  # a self-attention of the same name
            return args, kwargs
        visible = self._visible()
        if visible is None:
            return args, kwargs
        embeds, others = (text[0], text[1:]) if isinstance(text, tuple) else (text, None)
        rows = visible.rows
        if self.trim:
            embeds, rows = embeds[:, visible.columns], rows[:, visible.columns]
            trimmed = embeds if others is None else (embeds, *others)
            args, kwargs = with_argument(module, TEXT, trimmed, args, kwargs)
        bias = None
        if not rows.all():
            bias = torch.zeros(rows.shape, dtype=embeds.dtype, device=embeds.device)
            bias = bias.masked_fill(~rows, torch.finfo(embeds.dtype).min)[:, None]  # (batch, 1, rows)
        return with_argument(module, "attention_mask", bias, args, kwargs)

    def _visible(self) -> _Visible | None:
        """What the call that is running, or that is recomputed, may see; None: it is another pipeline's.

        Raises:
            RuntimeError: a block is recomputed by other means than the denoiser's gradient checkpointing.
        """
        if self.in_flight.outside:
            raise RuntimeError(
                "a block of the denoiser ran outside every call of it, so the padding of its text is unknown; to "
                "recompute blocks, use the denoiser's enable_gradient_checkpointing()"
            )
        return self.in_flight.state


def _rows_of(members: Sequence[torch.Tensor | None], length: int) -> torch.Tensor:
    """(batch, rows) bool. A text whose rows are all alike goes by the others, for it needs no rows of its own."""
    others = [member for member in members if member is not None]
    anyone = torch.stack(others).any(dim=0) if others else torch.ones(length, dtype=torch.bool)
    return torch.stack([anyone if member is None else member for member in members])
