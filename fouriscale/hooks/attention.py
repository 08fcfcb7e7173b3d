"""Hooks around self-attentions: query and key of the guidance branch, and fewer tokens for each to see.

No processor is replaced, so whichever there is does the rest. Only shapes tell what is a map's tokens.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn

from ..maths.tokens import Grids
from .call import Running, refuse_foreign_recomputation

# What somebody may give a self-attention of their own, and which is over all tokens.
_OWN = ("attention_mask", "encoder_hidden_states")


def lend_query_and_key(running: Running, projection: nn.Module, undo: ExitStack) -> None:
    """Hook a query or key projection: the guidance branch's are those of the conditional rows."""
    undo.callback(projection.register_forward_hook(functools.partial(_lent, running.local)).remove)


def attach_polyphase(running: Running, attention: Attention, level: int, undo: ExitStack) -> None:
    """Hook a self-attention `level` downsamplings below the sample: its tokens go in as grids and are joined again."""
    enter, leave = (
        functools.partial(_split, running.local, level),
        functools.partial(_join, running.local, level),
    )
    undo.callback(attention.register_forward_pre_hook(enter, with_kwargs=True).remove)
    undo.callback(attention.register_forward_hook(leave).remove)


def attach_downsampled_keys(running: Running, attention: Attention, level: int, undo: ExitStack) -> None:
    """Hook a self-attention's key and value projections, which get some of its tokens only.

    Source: Smith et al., "ToDo: Token Downsampling", IJCAI 2024, arXiv 2402.13573; here as many as in training.
    """
    refuse = functools.partial(_refuse, running.local, running.marks, level)
    undo.callback(attention.register_forward_pre_hook(refuse, with_kwargs=True).remove)
    for projection in (attention.to_k, attention.to_v):
        pick = functools.partial(_pick, running.local, level)
        undo.callback(projection.register_forward_pre_hook(pick).remove)


def _lent(local: Any, _: nn.Module, __: tuple, projected: torch.Tensor) -> torch.Tensor | None:
    values = getattr(local, "values", None)
    if values is None or not values["guidance_rows"]:
        return None
    rows, lent = values["rows"] + values["guidance_rows"], values["lent"][values["rows"]]
    if len(projected) == rows:
        return projected.index_select(0, lent)
    return (
        projected.unflatten(0, (rows, -1)).index_select(0, lent).flatten(0, 1)
    )  # (row, grid, tokens, channels)


def _split(
    local: Any, level: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    grids = _grids(local, level)
    tokens = args[0] if args else kwargs["hidden_states"]
    if grids is None or tokens.ndim != 3 or tokens.shape[1] != math.prod(grids.size):
        return None
    if len(args) > 1 or any(kwargs.get(name) is not None for name in _OWN):
        return None
    bias = grids.bias(len(tokens), tokens.device, tokens.dtype)
    rest = {k: v for k, v in kwargs.items() if k != "hidden_states"}
    return (grids.split(tokens),), rest if bias is None else rest | {"attention_mask": bias}


def _join(local: Any, level: int, _: nn.Module, __: tuple, output: torch.Tensor) -> torch.Tensor | None:
    grids = _grids(local, level)
    if grids is None or output.ndim != 3 or output.shape[1] != math.prod(grids.each):
        return None
    return grids.join(output)


def _grids(local: Any, level: int) -> Grids | None:
    """Those that the maps of a level are split into; made here of plain numbers, which compiled code can guard."""
    values = getattr(local, "values", None)
    split = values["polyphase"].get(level) if values is not None else None
    return Grids(*split) if split is not None else None


def _refuse(
    local: Any, marks: Mapping[str, bool], level: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> None:
    if getattr(local, "values", None) is None and not torch.compiler.is_compiling():
        refuse_foreign_recomputation(local, marks)
    mask = args[2] if len(args) > 2 else kwargs.get("attention_mask")
    if mask is not None and _picked(local, level) is not None:
        raise ValueError(
            f"an attention_mask of shape {tuple(mask.shape)} is over all tokens, of which downsampled keys "
            'leave some out: set attention="full" and late_attention="full"'
        )


def _pick(local: Any, level: int, _: nn.Module, args: tuple) -> tuple | None:
    picked = _picked(local, level)
    if picked is None or args[0].ndim != 3 or args[0].shape[1] != picked[0]:
        return None
    return args[0].index_select(1, picked[1]), *args[1:]


def _picked(local: Any, level: int) -> tuple[int, torch.Tensor] | None:
    """How many tokens maps of a level have, and where those lie that all look at."""
    values = getattr(local, "values", None)
    picked: tuple[int, torch.Tensor] | None = values["keys"].get(level) if values is not None else None
    return picked
