"""Hooks on a UNet's blocks, whose deep ones run on a smaller grid.

Maps are resampled where they enter the first deep block, where a skip of the level above joins them, and where they
leave the last deep block. What a ControlNet or a T2I-Adapter adds within is resampled before the UNet begins, and an
IP-Adapter's masks where a deep block takes them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.nn import functional as F

from ..maths.separable import along_axes, along_axes_apart
from ..maths.sizes import Size
from .call import Running, refuse_foreign_recomputation

_RESIDUALS = (
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
)
_ARGUMENTS = tuple(inspect.signature(UNet2DConditionModel.forward).parameters)[1:]
_SKIPS, _SIZE = "res_hidden_states_tuple", "upsample_size"  # arguments of diffusers' up blocks
_FURTHER, _MASKS = "cross_attention_kwargs", "ip_adapter_masks"  # an argument of blocks, and what it may hold


def attach(running: Running, unet: UNet2DConditionModel, level: int, undo: ExitStack) -> None:
    """Hook the blocks of a UNet from `level` downsamplings below the sample on."""
    local = running.local
    first, last = unet.down_blocks[level], unet.up_blocks[len(unet.down_blocks) - 1 - level]
    enter = functools.partial(_enter, local, running.marks, level)
    join, leave = (functools.partial(hook, local, level) for hook in (_join, _leave))
    hooks = [
        first.register_forward_pre_hook(enter, with_kwargs=True),
        last.register_forward_pre_hook(join, with_kwargs=True),
        last.register_forward_hook(leave),
    ]
    for block, own in _deep_blocks(unet, level):
        if getattr(block, "has_cross_attention", False):
            mask = functools.partial(_mask, local, level, own)
            hooks.append(block.register_forward_pre_hook(mask, with_kwargs=True))
    for hook in hooks:
        undo.callback(hook.remove)


def _deep_blocks(unet: UNet2DConditionModel, level: int) -> Iterator[tuple[nn.Module, int]]:
    """Each deep block, and its own level."""
    levels = len(unet.down_blocks)
    if unet.mid_block is not None:
        yield unet.mid_block, levels - 1
    for own in range(level, levels):
        yield unet.down_blocks[own], own
        yield unet.up_blocks[levels - 1 - own], own


def _grid(local: Any, level: int) -> dict[str, Any] | None:
    """What the call that runs does on the grid that begins at a level."""
    values = getattr(local, "values", None)
    grid = values["grid"] if values is not None else None
    return grid if grid is not None and grid["level"] == level else None


def _enter(
    local: Any, marks: Mapping[str, bool], level: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    grid = _grid(local, level)
    if grid is None:
        if not torch.compiler.is_compiling():
            refuse_foreign_recomputation(local, marks)
        return None
    if args:
        return (_onto(grid, args[0]), *args[1:]), kwargs
    return args, kwargs | {"hidden_states": _onto(grid, kwargs["hidden_states"])}


def _onto(grid: dict[str, Any], maps: torch.Tensor) -> torch.Tensor:
    """Maps on the grid; those of the guidance branch by a weaker filter."""
    if grid["weak"] is None:
        return along_axes(maps, grid["onto"])
    return along_axes_apart(maps, grid["rows"], grid["onto"], grid["weak"])


def _join(
    local: Any, level: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    """Skips of the level above get onto the grid, where the last deep block takes them.

    Its upsampler doubles, before the map leaves. The others are told a size by the UNet wherever the picture's sides
    cannot be halved so often, that of the skips above; and where they can, so can the grid's.
    """
    grid = _grid(local, level)
    if grid is None:
        return None
    size = grid["size"]
    skips = tuple(skip if tuple(skip.shape[-2:]) == size else _onto(grid, skip) for skip in kwargs[_SKIPS])
    return args, kwargs | {_SKIPS: skips, _SIZE: None}


def _leave(local: Any, level: int, _: nn.Module, __: tuple, maps: torch.Tensor) -> torch.Tensor | None:
    grid = _grid(local, level)
    return None if grid is None else along_axes(maps, grid["off"])


def _mask(
    local: Any, level: int, own: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    """An IP-Adapter's masks as deep blocks see them.

    diffusers guesses height and width of the map from the mask's aspect ratio, and a grid's is rounded. A row of as
    many pixels as the map has, one after another, leaves nothing to guess.
    """
    grid, further = _grid(local, level), kwargs.get(_FURTHER)
    if grid is None or not further or further.get(_MASKS) is None:
        return None
    masks = further[_MASKS]
    if isinstance(masks, torch.Tensor):  # (adapters, 1, height, width), as they used to be given
        masks = masks.unsqueeze(1)
    rows = [_row(mask, grid["sizes"][own]) for mask in masks]
    return args, kwargs | {_FURTHER: further | {_MASKS: rows}}


def _row(mask: Any, size: Size) -> Any:
    """A mask (1, pictures, height, width) as (1, pictures, 1, pixels of a map); what is none, diffusers refuses."""
    if not isinstance(mask, torch.Tensor) or mask.ndim != 4:
        return mask
    return F.interpolate(mask, size, mode="bicubic").flatten(-2).unsqueeze(-2)


def resample_residuals(
    unet: UNet2DConditionModel, grid: dict[str, Any], args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    """A UNet's arguments with what is added to deep maps on their grid.

    Args:
        grid: the call's, of `call.values_of`.
    """
    given = dict(zip(_ARGUMENTS, args, strict=False)) | kwargs
    down, mid, within = (given.get(name) for name in _RESIDUALS)
    if down is not None and mid is None and within is None:  # how T2I-Adapters used to be passed
        down, within = None, down
    changed: dict[str, Any] = {}
    if mid is not None:
        changed[_RESIDUALS[1]] = _smaller(grid, mid)
    if down is not None:
        outside = _residuals_above(unet, grid["level"])
        changed[_RESIDUALS[0]] = _from(outside, functools.partial(_smaller, grid), down)
    if within is not None:
        changed[_RESIDUALS[2]] = _from(grid["level"], functools.partial(_smaller, grid), within)
        if given.get(_RESIDUALS[2]) is None:
            changed[_RESIDUALS[0]] = None
    if not changed:
        return args, kwargs
    kept = min([len(args), *(_ARGUMENTS.index(name) for name in changed)])
    return args[:kept], {**dict(zip(_ARGUMENTS[kept:], args[kept:], strict=False)), **kwargs, **changed}


def _from(first: int, change: Callable, residuals: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    return [*residuals[:first], *map(change, residuals[first:])]


def _smaller(grid: dict[str, Any], residual: torch.Tensor) -> torch.Tensor:
    """A residual on the grid of its level; one whose size is no deep map's stays as it is."""
    matrices = grid["residuals"].get(tuple(residual.shape[-2:]))
    return residual if matrices is None else along_axes(residual, matrices)


def _residuals_above(unet: UNet2DConditionModel, level: int) -> int:
    """How many of the maps that skip, and to which a ControlNet adds, are made before the first deep block."""
    blocks = unet.down_blocks[:level]
    return 1 + sum(len(block.resnets) + bool(block.downsamplers) for block in blocks)
