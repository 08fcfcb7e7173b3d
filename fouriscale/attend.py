"""Hooks around self-attentions: query and key lent to the guidance branch, and tokens split into groups."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from .grids import Grids
from .plan import Planned


@dataclass(frozen=True)
class GroupedAttention:
    """Stands around one self-attention: its tokens go in as groups, and come out as they were.

    No processor is replaced, so whichever there is attends within the groups. Only shapes tell whether
    the tokens were split, so that compiled code needs no state.
    """

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
        if kwargs.get("attention_mask") is not None or len(args) > 2:
            return None  # somebody's own mask is over all tokens
        bias = grids.bias(len(tokens), tokens.device, tokens.dtype)
        rest = {k: v for k, v in kwargs.items() if k != "hidden_states"}
        return (grids.split(tokens), *args[1:]), rest if bias is None else rest | {"attention_mask": bias}

    def join(self, _: nn.Module, __: tuple, output: torch.Tensor) -> torch.Tensor | None:
        grids = self._grids()
        if grids is None or output.ndim != 3 or output.shape[1] != math.prod(grids.group):
            return None
        return grids.join(output)

    def _grids(self) -> Grids | None:
        grouping = self.attachment.grouping
        return grouping.at(self.level) if grouping else None


@dataclass(frozen=True)
class LentProjection:
    """A hook on a query or key projection: the guidance branch's are those of the conditional rows."""

    attachment: Planned

    def __call__(self, _: nn.Module, __: tuple, projected: torch.Tensor) -> torch.Tensor | None:
        plan = self.attachment.plan
        if not (plan and plan.lent):
            return None
        groups = len(projected) // (plan.rows + plan.lent)  # of each row
        rows, lent = plan.rows * groups, plan.lent * groups
        return torch.cat([projected[:rows], projected[rows - lent : rows]])
