"""The deep grid with downsampled keys on ComfyUI's UNet, by its ModelPatcher's patches.

A wrapper around the UNet's call finds out what the call does and leaves it in the call's own `transformer_options`,
where the patches find it. They hold nothing themselves, so models may take turns. The deepest map of the level above
goes to its skip at full size and onto the grid after that; its skip joins on the grid; and the last deep block's map is
doubled, and taken off the grid where the next block takes it. What a ControlNet or a T2I-Adapter adds within is
resampled before the UNet begins.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.maths.filters import FilterCache, GridMatrices
from fouriscale.maths.grid import Levels
from fouriscale.maths.plan import Sparsity
from fouriscale.maths.schedule import GridSchedule
from fouriscale.maths.separable import along_axes
from fouriscale.maths.sizes import Size

from .blocks import PIXELS, Blocks, blocks_of, latent_size
from .wrapping import axes_of

_CALL = "diffusion_model"  # ComfyUI's name of wrappers around the UNet's call
_OURS = "fouriscale"  # where transformer_options holds a `Call`, and by which the wrapper is known
_MATRICES = FilterCache()


@dataclass(frozen=True)
class Phase:
    """A part of the run on the deep grid.

    Attributes:
        above: the noise level, ComfyUI's sigma, that its steps are above.
        times: the training size on each axis.
    """

    above: float
    times: float


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one call of the UNet does.

    Attributes:
        blocks: of the UNet.
        level: at which the grid begins.
        grid: what resamples maps; None where none is.
        size: of the grid at that level.
        keys: by level, how many tokens its maps have, and where those lie that all look at.
        replaced: the blocks whose self-attention another node replaces.
    """

    blocks: Blocks
    level: int
    grid: GridMatrices | None
    size: Size
    keys: Mapping[int, tuple[int, torch.Tensor]]
    replaced: frozenset[tuple]


def apply(model: Any, config: FouriScaleConfig) -> Any:
    """A clone of a ModelPatcher whose UNet samples by these settings. A second call replaces the first.

    Args:
        model: ComfyUI's ModelPatcher.
        config: with a deep grid, and "full" attention or "downsampled keys".

    Raises:
        ValueError: see `FouriScale.patch`.
    """
    blocks = blocks_of(model)
    levels = Levels(blocks.levels, _grid_level(config, blocks.levels))
    noise = model.get_model_object("model_sampling")
    phases = tuple(
        Phase(float(noise.percent_to_sigma(until)), times)
        for until, times in config.resolved().grid_phases or ()
    )
    patched = model.clone()
    _add(patched, "input_block_patch_after_skip", _enter)
    _add(patched, "output_block_patch", _join)
    _add(patched, "attn1_patch", _pick)
    upsampler = blocks.upsampler(levels.grid)
    place = len(model.model.diffusion_model.output_blocks[upsampler]) - 1
    name = f"diffusion_model.output_blocks.{upsampler}.{place}.forward"
    patched.add_object_patch(name, functools.partial(_doubled, model.get_model_object(name)))
    patched.remove_wrappers_with_key(_CALL, _OURS)
    patched.add_wrapper_with_key(_CALL, _OURS, functools.partial(_around, config, phases, blocks, levels))
    return patched


def _add(patched: Any, name: str, patch: Callable) -> None:
    """A patch, once; ComfyUI's own methods add another each time."""
    if patch not in patched.model_options["transformer_options"].get("patches", {}).get(name, []):
        patched.set_model_patch(patch, name)


def _grid_level(config: FouriScaleConfig, levels: int) -> int:
    """Where the grid begins: at the first down block that the settings' layers name, or else the deepest.

    Raises:
        ValueError: the settings' own choice lies outside the UNet.
    """
    if config.grid_level is not None and config.grid_level >= levels:
        raise ValueError(
            f"grid_level={config.grid_level}: must be from 1 to {levels - 1} in a UNet of {levels} levels"
        )
    named = (
        level
        for level in range(1, levels)
        for block in (f"down_blocks.{level}.resnets.0", f"down_blocks.{level}.downsamplers.0")
        if any(fnmatchcase(block, pattern) for pattern in config.layers)
    )
    return config.grid_level or next(named, levels - 1)


def _around(
    config: FouriScaleConfig,
    phases: tuple[Phase, ...],
    blocks: Blocks,
    levels: Levels,
    executor: Any,
    sample: torch.Tensor,
    timesteps: Any,
    context: Any,
    y: Any,
    control: Any,
    transformer_options: dict[str, Any],
    **kwargs: Any,
) -> Any:
    """The UNet's call, whose patches are told what it does."""
    call = _call(config, phases, blocks, levels, sample, transformer_options)
    if call is not None:
        control = _resampled(call, control)
        transformer_options = {**transformer_options, _OURS: call}
    return executor(sample, timesteps, context, y, control, transformer_options, **kwargs)


def _call(
    config: FouriScaleConfig,
    phases: tuple[Phase, ...],
    blocks: Blocks,
    levels: Levels,
    sample: torch.Tensor,
    transformer_options: dict[str, Any],
) -> Call | None:
    """What a call does; None within the training size."""
    latent = latent_size(sample)
    height, width = (side * PIXELS for side in latent)
    fit = config.fit(height, width)
    if fit.dilation == 1:
        return None
    sigma = float(transformer_options["sigmas"].max())
    # The parts of the run take the place of its steps: ComfyUI samples parts of runs too, and tells of a step only
    # how noisy it is.
    schedule = GridSchedule(fit.dilation, 0, tuple((n + 1, phase.times) for n, phase in enumerate(phases)))
    part = sum(sigma <= phase.above for phase in phases)
    grid = None
    if schedule.active(part):
        grid = levels.deep_grid(
            latent, schedule.at(part), config.grid_resampling, axes_of(transformer_options)
        )
    keys: dict[int, tuple[int, torch.Tensor]] = {}
    if config.chosen("attention" if grid else "late_attention") == "downsampled keys":
        rows, columns = (max(round(side / fit.dilation), 1) for side in latent)
        sparsity = Sparsity(latent_size=latent, training_size=(rows, columns))
        index = _MATRICES.keys(sparsity, levels.above if grid else levels.all, sample.device)
        keys = {level: (math.prod(sparsity.keys(level).size), index[level]) for level in index}
    return Call(
        blocks=blocks,
        level=levels.grid,
        grid=_MATRICES.grid(grid, sample.device, sample.dtype) if grid else None,
        size=grid.size if grid else latent,
        keys=keys,
        replaced=frozenset(transformer_options.get("patches_replace", {}).get("attn1", {})),
    )


def _resampled(call: Call, control: Any) -> Any:
    """What a ControlNet or a T2I-Adapter adds, of deep blocks on the grid.

    ComfyUI takes from the end of each list, first for the blocks that come first. The downsampler's own map and its
    skip are still at full size.
    """
    if control is None or call.grid is None:
        return control
    first, last = call.blocks.downsampler(call.level), call.blocks.upsampler(call.level)
    changed = dict(control)
    for side, residuals in control.items():
        count = len(residuals)
        deep = {
            "input": range(count - first - 1),
            "middle": range(count),
            "output": range(max(count - last, 0), count),
        }[side]
        changed[side] = [
            _smaller(call.grid, maps) if place in deep else maps for place, maps in enumerate(residuals)
        ]
    return changed


def _smaller(grid: GridMatrices, maps: torch.Tensor | None) -> torch.Tensor | None:
    """Maps on the grid of their level; those whose size is no deep level's stay as they are."""
    matrices = grid.residuals.get((maps.shape[-2], maps.shape[-1])) if maps is not None else None
    return maps if maps is None or matrices is None else along_axes(maps, matrices)


def _enter(maps: torch.Tensor, transformer_options: dict[str, Any]) -> torch.Tensor:
    """Maps get onto the grid after the last block above it, whose skip keeps its size."""
    call: Call | None = transformer_options.get(_OURS)
    if call is None or call.grid is None:
        return maps
    if transformer_options["block"] != ("input", call.blocks.downsampler(call.level)):
        return maps
    return along_axes(maps, call.grid.onto)


def _join(
    maps: torch.Tensor, skip: torch.Tensor, transformer_options: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """That skip gets onto the grid where the last deep block takes it; after that block, maps get off."""
    call: Call | None = transformer_options.get(_OURS)
    if call is None or call.grid is None:
        return maps, skip
    last = call.blocks.upsampler(call.level)
    if transformer_options["block"] == ("output", last) and tuple(skip.shape[-2:]) != call.size:
        return maps, along_axes(skip, call.grid.onto)
    # Where the grid is no smaller than the map, the upsampler has done what it always does.
    if transformer_options["block"] == ("output", last + 1) and maps.shape[-2:] != skip.shape[-2:]:
        return along_axes(maps, call.grid.off), skip
    return maps, skip


def _doubled(own: Callable, maps: torch.Tensor, output_shape: Any = None) -> torch.Tensor:
    """The last deep upsampler: of maps on a grid it doubles the size, whatever that of the next skip is."""
    if output_shape is not None:
        plain = tuple(-(-side // 2) for side in output_shape[-2:])
        if tuple(maps.shape[-2:]) != plain:
            output_shape = None
    result: torch.Tensor = own(maps, output_shape=output_shape)
    return result


def _pick(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, extra_options: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Some of the tokens of a self-attention are those that all look at.

    Where another node replaces the self-attention it gets all, for it may not know that there are fewer.

    Source: Smith et al., "ToDo: Token Downsampling", IJCAI 2024, arXiv 2402.13573; here as many as in training.
    """
    call: Call | None = extra_options.get(_OURS)
    if call is None:
        return query, key, value
    block = extra_options["block"]
    if block in call.replaced or (*block, extra_options["block_index"]) in call.replaced:
        return query, key, value
    count, index = call.keys.get(call.blocks.level_of(block), (0, None))
    if index is None or key.shape[1] != count or value.shape[1] != count:
        return query, key, value
    picked = key.index_select(1, index)
    return query, picked, picked if value is key else value.index_select(1, index)
