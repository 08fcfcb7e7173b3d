"""What the method does to frequencies in a run: the latents' spectra, the windows, and what was active. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.hooks.modules import levels_of, listed_convolutions
from fouriscale.maths.decimate import cosines
from fouriscale.maths.grid import DeepGrid, Levels, resampling_matrix
from fouriscale.maths.lowpass import Window
from fouriscale.maths.plan import padded_size
from fouriscale.maths.sizes import Size, size_at
from fouriscale.maths.wrap import WRAPS

PLAIN, DILATED, FILTERED = 0, 1, 2  # what a step does to a convolution
ON_GRID = 1  # what it does to a block


def radial_power(latents: torch.Tensor, bins: int = 32) -> torch.Tensor:
    """Power of the first latents of a batch by frequency: (bins,), from 0 to the highest of either axis.

    The mean over channels, and over all directions, of the squared absolute value of the orthonormal DFT;
    the mean itself is left out. NaN where a bin holds no frequency of so small a map. White noise of
    variance 1 has power 1 everywhere.

    Args:
        latents: (batch, channels, latent height, latent width).
        bins: of equal width in cycles per pixel, together 0 to 1/2.
    """
    first = latents[0].detach().float().cpu()
    power = torch.fft.fft2(first, norm="ortho").abs().square().mean(0)
    y, x = (torch.fft.fftfreq(n) for n in first.shape[-2:])
    radius = torch.sqrt(y[:, None] ** 2 + x[None, :] ** 2)
    place = (radius * 2 * bins).long()
    inside = (place < bins) & (radius > 0)
    total = torch.zeros(bins).index_add_(0, place[inside], power[inside])
    return total / torch.bincount(place[inside], minlength=bins)


@dataclass(frozen=True)
class Activity:
    """What each step does to each convolution that the config names, or to each block where there is a deep grid.

    Attributes:
        layers: their names, shortened, in the UNet's order.
        states: one row a layer, one entry a step: `PLAIN`, `DILATED` or `FILTERED` (dilated too); or `PLAIN` or
            `ON_GRID`.
        dilations: of each step, before rounding up; of the deep grid, how many times smaller it is on each axis.
        windows: {map size and stride in words: (padded length, stride)} of the first step's filters.
        grids: {map and grid size in words: the deep grid}, one a part of the run.
    """

    layers: tuple[str, ...]
    states: tuple[tuple[int, ...], ...]
    dilations: tuple[float, ...]
    windows: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    grids: Mapping[str, DeepGrid] = field(default_factory=dict)

    def last(self, steps: int) -> Activity:
        """The same of the last steps alone."""
        states = tuple(row[-steps:] for row in self.states)
        return dataclasses.replace(self, states=states, dilations=self.dilations[-steps:])


def activity(
    unet: Any, config: FouriScaleConfig, height: int, width: int, steps: int, vae_scale_factor: int
) -> Activity:
    """Follow the schedule of a run at `height` x `width` pixels, without running anything.

    Raises:
        ValueError: a layer pattern matches nothing in the UNet.
    """
    listed = listed_convolutions(unet, config)
    schedule = config.schedule(height, width, steps)
    dilations = tuple(map(schedule.at, range(steps)))
    latent_size = height // vae_scale_factor, width // vae_scale_factor
    if config.deep:
        return _of_blocks(config, dilations, latent_size, levels_of(unet, config, listed))
    names = {id(module): short_name(name) for name, module in unet.named_modules()}
    fit = config.fit(height, width)
    rows, columns = (math.ceil(side / vae_scale_factor) for side in fit.training_size)
    states, windows = [], {}
    for one in listed:
        stride, padded = one.conv.stride[0], None
        if one.filtered and one.level is not None:
            size = size_at(latent_size, one.level)
            padded = padded_size(
                size,
                latent_size=latent_size,
                training_size=(rows, columns),
                factor=math.ceil(fit.dilation),
                wrap=WRAPS[config.wrap],
            )
            label = f"maps {size[1]}x{size[0]}" + (f", stride {stride}" if stride > 1 else "")
            windows[label] = max(padded), stride
        states.append(tuple(_state(dilation, stride, padded, config.floor) for dilation in dilations))
    layers = tuple(names[id(one.conv)] for one in listed)
    return Activity(layers, tuple(states), dilations, windows=windows)


def _of_blocks(
    config: FouriScaleConfig, dilations: tuple[float, ...], latent_size: Size, levels: Levels
) -> Activity:
    """A UNet's blocks, those from the grid's level on being on the grid."""
    down = [(f"down {level}", level) for level in levels.all]
    up = [(f"up {levels.count - 1 - level}", level) for level in reversed(levels.all)]
    blocks = [*down, ("mid", levels.count - 1), *up]
    on_grid = tuple(ON_GRID if dilation > 1 else PLAIN for dilation in dilations)
    plain = (PLAIN,) * len(dilations)
    grids = {}
    for factor in dict.fromkeys(dilation for dilation in dilations if dilation > 1):
        grid = levels.deep_grid(latent_size, factor, config.grid_resampling, WRAPS[config.wrap])
        (rows, columns), (small_rows, small_columns) = grid.full(grid.level), grid.size
        grids[f"maps {columns}x{rows} on {small_columns}x{small_rows}"] = grid
    return Activity(
        layers=tuple(name for name, _ in blocks),
        states=tuple(on_grid if level >= levels.grid else plain for _, level in blocks),
        dilations=dilations,
        grids=grids,
    )


def _state(dilation: float, stride: int, padded: tuple[int, int] | None, floor: float) -> int:
    """What a step does to a convolution whose maps are filtered at the size `padded`; None: never filtered."""
    if dilation <= 1:
        return PLAIN
    window = Window(max(dilation / stride, 1.0), floor)
    passes = padded is None or all(window.is_identity(n) for n in padded)
    return DILATED if passes else FILTERED


def kept(grid: DeepGrid, onto: str | None = None) -> torch.Tensor:
    """(side,): how much of each cosine of the longer axis, the slowest first, is left after going onto a deep grid
    and off it. Where the axis wraps, of Fourier's waves, which go round it.

    Args:
        onto: how it goes there; None takes the grid's own resampling.
    """
    axis = 0 if grid.full(grid.level)[0] >= grid.full(grid.level)[1] else 1
    full, small = grid.full(grid.level)[axis], grid.size[axis]
    closed, places = grid.wrap[axis], torch.arange(full, dtype=torch.float64)
    there = resampling_matrix(full, small, onto or grid.resampling, closed)
    back = resampling_matrix(small, full, grid.resampling, closed)
    waves = _around(places) if closed else cosines(full, places, full)
    return (waves * (back @ there @ waves)).sum(0)


def _around(places: torch.Tensor) -> torch.Tensor:
    """(places, places): Fourier's orthonormal waves on a closed axis, the slowest first, cosine and sine in turn."""
    count = len(places)
    order = torch.arange(count)
    angles = 2 * math.pi / count * places[:, None] * ((order + 1) // 2)
    waves = torch.where(order % 2 == 0, angles.sin(), angles.cos()) * math.sqrt(2 / count)
    alone = (order == 0) | ((order + 1) == count) & (order % 2 == 1)  # of one direction only
    return torch.where(alone, torch.where(order == 0, 1.0, angles.cos()) / math.sqrt(count), waves)


def short_name(layer: str) -> str:
    """`down_blocks.1.resnets.0.conv1` as `down 1 resnet 0 conv1`."""
    words = layer.replace("_blocks", "").replace("_block", "").replace("samplers", "sample").split(".")
    return " ".join(word.removesuffix("s") if word == "resnets" else word for word in words)
