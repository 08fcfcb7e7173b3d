"""Hooks around self-attentions: query and key of the guidance branch, and fewer tokens for each to see.

No processor is replaced, so whichever there is does the rest. Only shapes tell what is a map's tokens, so that
compiled code needs no state.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from ..maths.tokens import Grids, SampledTokens
from .place import Planned

# What somebody may give a self-attention of their own, and which is over all tokens.
_OWN = ("attention_mask", "encoder_hidden_states")


@dataclass(frozen=True)
class PolyphaseAttention:
    """Stands around one self-attention: its tokens go in as grids, and come out as they were."""

    attachment: Planned
    level: int

    def attach(self, attention: Attention, undo: ExitStack) -> None:
        undo.callback(attention.register_forward_pre_hook(self.split, with_kwargs=True).remove)
        undo.callback(attention.register_forward_hook(self.join).remove)

    def split(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict] | None:
        grids = self._grids()
        tokens = args[0] if args else kwargs["hidden_states"]
        if grids is None or tokens.ndim != 3 or tokens.shape[1] != math.prod(grids.size):
            return None
        if len(args) > 1 or any(kwargs.get(name) is not None for name in _OWN):
            return None
        bias = grids.bias(len(tokens), tokens.device, tokens.dtype)
        rest = {k: v for k, v in kwargs.items() if k != "hidden_states"}
        return (grids.split(tokens),), rest if bias is None else rest | {"attention_mask": bias}

    def join(self, _: nn.Module, __: tuple, output: torch.Tensor) -> torch.Tensor | None:
        grids = self._grids()
        if grids is None or output.ndim != 3 or output.shape[1] != math.prod(grids.each):
            return None
        return grids.join(output)

    def _grids(self) -> Grids | None:
        """None, too, where the map has no more tokens than a grid: then there is nothing to split."""
        sparsity = self.attachment.sparsity
        grids = sparsity.grids(self.level) if sparsity else None
        return grids if grids and grids.each != grids.size else None


@dataclass(frozen=True)
class DownsampledKeys:
    """Hooks on the key and value projections of one self-attention, which get some of its tokens only.

    Source: Smith et al., "ToDo: Token Downsampling", IJCAI 2024, arXiv 2402.13573; here as many as in training.
    """

    attachment: Planned
    level: int

    def attach(self, attention: Attention, undo: ExitStack) -> None:
        undo.callback(attention.register_forward_pre_hook(self.refuse_masks, with_kwargs=True).remove)
        for projection in (attention.to_k, attention.to_v):
            undo.callback(projection.register_forward_pre_hook(self.sample).remove)

    def refuse_masks(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        mask = args[2] if len(args) > 2 else kwargs.get("attention_mask")
        if mask is not None and self._keys():
            raise ValueError(
                f"an attention_mask of shape {tuple(mask.shape)} is over all tokens, of which downsampled keys "
                'leave some out: set attention="full" and late_attention="full"'
            )

    def sample(self, _: nn.Module, args: tuple) -> tuple | None:
        keys = self._keys()
        if keys is None or args[0].ndim != 3 or args[0].shape[1] != math.prod(keys.size):
            return None
        return keys(args[0]), *args[1:]

    def _keys(self) -> SampledTokens | None:
        sparsity = self.attachment.sparsity
        return sparsity.keys(self.level) if sparsity else None


@dataclass(frozen=True)
class GuidanceProjection:
    """A hook on a query or key projection: the guidance branch's are those of the conditional rows."""

    attachment: Planned

    def __call__(self, _: nn.Module, __: tuple, projected: torch.Tensor) -> torch.Tensor | None:
        plan = self.attachment.plan
        if not (plan and plan.guidance_rows):
            return None
        grids = len(projected) // (plan.rows + plan.guidance_rows)  # of each row
        rows, guidance_rows = plan.rows * grids, plan.guidance_rows * grids
        return torch.cat([projected[:rows], projected[rows - guidance_rows : rows]])
