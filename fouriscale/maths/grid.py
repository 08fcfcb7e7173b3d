"""The deep grid: on which a UNet's deep blocks see about as many pixels as in training. Pure.

A dilated convolution of a low-passed map is the plain convolution of the decimated one (FouriScale, arXiv 2403.12963,
Section 3.2). Here that sentence is taken for whole blocks, attention and feed-forward included: entering the deep
blocks a map is resampled to a grid of the training size's area and the picture's own shape, and leaving them it is
resampled back, so that neither padding nor a whole dilation is needed. Levels above keep their full size.

Ancestors: Kohya's Deep Shrink (2023), which does so by half, bicubically, at one block and early in the run, and
HiDiffusion (arXiv 2311.17528), which resizes inside the downsampler and the upsampler.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .decimate import cosines, turns
from .separable import Pair
from .sizes import Size, size_at
from .wrap import NOWHERE, Axes


@dataclass(frozen=True, kw_only=True)
class DeepGrid:
    """The maps of one call of a UNet whose deep blocks run on a smaller grid.

    Attributes:
        latent_size: of the sample.
        level: downsamplings below the sample at which the grid begins, at least 1.
        levels: of the UNet.
        size: of the grid at that level.
        resampling: one of `choices.RESAMPLINGS`.
        wrap: the axes on which the picture wraps.
    """

    latent_size: Size
    level: int
    levels: int
    size: Size
    resampling: str
    wrap: Axes = NOWHERE

    @classmethod
    def build(
        cls,
        *,
        latent_size: Size,
        factor: float,
        level: int,
        levels: int,
        resampling: str,
        wrap: Axes = NOWHERE,
    ) -> DeepGrid:
        """For deep blocks whose maps are `factor` times smaller on each axis."""
        full = size_at(latent_size, level)
        size = grid_size(full, factor, 2 ** (levels - 1 - level))
        return cls(
            latent_size=latent_size, level=level, levels=levels, size=size, resampling=resampling, wrap=wrap
        )

    def full(self, level: int) -> Size:
        """Of the maps at a level, where nothing is resampled."""
        return size_at(self.latent_size, level)

    def small(self, level: int) -> Size:
        """Of the maps at a level from `level` on."""
        return size_at(self.size, level - self.level)

    @property
    def leaving(self) -> tuple[Size, Size]:
        """Of the maps that the last deep upsampler gives, and what they are resampled to."""
        height, width = self.size
        return (2 * height, 2 * width), self.full(self.level - 1)


@dataclass(frozen=True)
class Levels:
    """A UNet's levels, numbered by how many downsamplings they lie below the sample.

    Attributes:
        count: how many it has.
        grid: the one at which the deep grid begins.
    """

    count: int
    grid: int

    @property
    def all(self) -> range:
        return range(self.count)

    @property
    def above(self) -> range:
        """Those that keep their size."""
        return range(self.grid)

    def deep_grid(self, latent_size: Size, factor: float, resampling: str, wrap: Axes = NOWHERE) -> DeepGrid:
        """The grid of a call whose deep blocks' maps are `factor` times smaller on each axis."""
        return DeepGrid.build(
            latent_size=latent_size,
            factor=factor,
            level=self.grid,
            levels=self.count,
            resampling=resampling,
            wrap=wrap,
        )


def grid_size(full: Size, factor: float, multiple: int) -> Size:
    """A grid of `full`'s shape, `factor` times smaller on each axis, of multiples that all levels can halve.

    On each axis that multiple which is the fewest times too large or too small, and never more than the map has.
    """

    def along(side: int) -> int:
        wanted = side / factor
        parts = math.floor(wanted / multiple), math.ceil(wanted / multiple)
        around = sorted({min(max(n, 1) * multiple, side) for n in parts})
        # Rounded, so that of two that are as near the smaller is taken on every machine.
        return min(around, key=lambda n: round(abs(math.log(n / wanted)), 9))

    return along(full[0]), along(full[1])


def resampling_matrix(source: int, target: int, kind: str, closed: bool = False) -> torch.Tensor:
    """(target, source): an axis of `source` samples on one of `target`, in float64. Constants stay what they are.

    Args:
        kind: "cosines" keeps the lowest that both axes have, with their amplitudes, or Fourier's waves on a closed
            axis; the others are torch's, "area" only where the axis gets shorter and bicubic where it gets longer.
        closed: whether the axis wraps.
    """
    if kind == "cosines":
        basis, count = turns if closed else cosines, min(source, target)
        places = (torch.arange(target, dtype=torch.float64) + 0.5) * source / target - 0.5
        samples = basis(count, torch.arange(source, dtype=torch.float64), source)
        return basis(count, places, source) @ samples.T
    if kind == "area" and target > source:
        kind = "bicubic"
    rounds = 3 if closed else 1  # three times around, of which the middle one is taken
    impulses = torch.eye(rounds * source, dtype=torch.float64)[None, :, :, None]  # one channel each
    matrix = F.interpolate(impulses, (rounds * target, 1), mode=kind)[0, :, :, 0].T
    return matrix.unflatten(0, (rounds, target))[rounds // 2].unflatten(1, (rounds, source)).sum(1)


def resamplers(
    source: Size,
    target: Size,
    kind: str,
    device: torch.device,
    dtype: torch.dtype,
    wrap: Axes = NOWHERE,
) -> Pair:
    """What `separable.along_axes` takes, from maps of one (height, width) to another."""
    rows, columns = (
        resampling_matrix(there, here, kind, closed).to(device, dtype)
        for there, here, closed in zip(source, target, wrap, strict=True)
    )
    return rows, columns.mT.contiguous()
