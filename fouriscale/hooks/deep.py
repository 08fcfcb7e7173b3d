"""Hooks on a UNet's blocks, whose deep ones run on a smaller grid.

Maps are resampled where they enter the first deep block, where a skip of the level above joins them, and where they
leave the last deep block. What a ControlNet or a T2I-Adapter adds within is resampled before the UNet begins.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from ..maths.separable import along_axes, along_axes_apart
from .call import Running

_RESIDUALS = (
    "down_block_additional_residuals",
    "mid_block_additional_residual",
    "down_intrablock_additional_residuals",
)
_ARGUMENTS = tuple(inspect.signature(UNet2DConditionModel.forward).parameters)[1:]
_SKIPS, _SIZE = "res_hidden_states_tuple", "upsample_size"  # arguments of diffusers' up blocks


def attach(running: Running, unet: UNet2DConditionModel, level: int, undo: ExitStack) -> None:
    """Hook the blocks of a UNet from `level` downsamplings below the sample on."""
    local, levels = running.local, len(unet.down_blocks)
    hooks = [
        unet.down_blocks[level].register_forward_pre_hook(
            functools.partial(_enter, local, level), with_kwargs=True
        )
    ]
    for i in range(levels - level):  # the last of them is at `level`
        join = functools.partial(_join, local, level, levels - 1 - i)
        hooks.append(unet.up_blocks[i].register_forward_pre_hook(join, with_kwargs=True))
    hooks.append(
        unet.up_blocks[levels - 1 - level].register_forward_hook(functools.partial(_leave, local, level))
    )
    for hook in hooks:
        undo.callback(hook.remove)


def _grid(local: Any, level: int) -> dict[str, Any] | None:
    """What the call that runs does on the grid that begins at a level."""
    values = getattr(local, "values", None)
    grid = values["grid"] if values is not None else None
    return grid if grid is not None and grid["level"] == level else None


def _enter(
    local: Any, level: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    grid = _grid(local, level)
    if grid is None:
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
    local: Any, level: int, own: int, _: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict] | None:
    """Skips of the level above get onto the grid; an upsampler is told a size that is not twice the grid's."""
    grid = _grid(local, level)
    if grid is None:
        return None
    kwargs = dict(kwargs)
    if own > level:
        kwargs[_SIZE] = grid["upsampled"][own]
        return args, kwargs
    size = grid["size"]
    kwargs[_SKIPS] = tuple(
        skip if tuple(skip.shape[-2:]) == size else _onto(grid, skip) for skip in kwargs[_SKIPS]
    )
    kwargs[_SIZE] = None  # twice the grid's, before it leaves
    return args, kwargs


def _leave(local: Any, level: int, _: nn.Module, __: tuple, maps: torch.Tensor) -> torch.Tensor | None:
    grid = _grid(local, level)
    return None if grid is None else along_axes(maps, grid["off"])


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
