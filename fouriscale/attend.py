"""Hooks around self-attentions: query and key lent to the guidance branch, and fewer tokens for each to see."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from .plan import Planned


@dataclass(frozen=True)
class SparseAttention:
    """Stands around one self-attention, whose tokens see those of a grid of the training size only.

    Polyphase grids go in one by one and come out as they were. For downsampled keys the tokens go in as
    they are, and beside them one grid, as the tokens of a prompt do (key and value downsampling: Smith et
    al., "ToDo", IJCAI 2024, arXiv 2402.13573). No processor is replaced, so whichever there is does the
    rest. Only shapes tell whether the tokens were split, so that compiled code needs no state.
    """

    attachment: Planned
    level: int

    def attach(self, attention: Attention, undo: ExitStack) -> None:
        undo.callback(attention.register_forward_pre_hook(self.before, with_kwargs=True).remove)
        undo.callback(attention.register_forward_hook(self.after).remove)

    def before(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict] | None:
        sparsity = self.attachment.sparsity
        tokens = args[0] if args else kwargs["hidden_states"]
        if sparsity is None or tokens.ndim != 3:
            return None
        grids = sparsity.at(self.level)
        if tokens.shape[1] != math.prod(grids.size):
            return None
        if len(args) > 1 or any(
            kwargs.get(name) is not None for name in ("attention_mask", "encoder_hidden_states")
        ):
            return None  # somebody's own mask or keys
        rest = {k: v for k, v in kwargs.items() if k != "hidden_states"}
        if not sparsity.polyphase:
            return (tokens,), rest | {"encoder_hidden_states": grids.middle(tokens)}
        bias = grids.bias(len(tokens), tokens.device, tokens.dtype)
        return (grids.split(tokens),), rest if bias is None else rest | {"attention_mask": bias}

    def after(self, _: nn.Module, __: tuple, output: torch.Tensor) -> torch.Tensor | None:
        sparsity = self.attachment.sparsity
        if sparsity is None or not sparsity.polyphase or output.ndim != 3:
            return None
        grids = sparsity.at(self.level)
        return grids.join(output) if output.shape[1] == math.prod(grids.each) else None


@dataclass(frozen=True)
class LentProjection:
    """A hook on a query or key projection: the guidance branch's are those of the conditional rows."""

    attachment: Planned

    def __call__(self, _: nn.Module, __: tuple, projected: torch.Tensor) -> torch.Tensor | None:
        plan = self.attachment.plan
        if not (plan and plan.lent):
            return None
        grids = len(projected) // (plan.rows + plan.lent)  # of each row
        rows, lent = plan.rows * grids, plan.lent * grids
        return torch.cat([projected[:rows], projected[rows - lent : rows]])
