"""A dilated convolution of a band-limited map, computed at the training size. Pure.

With the paper's ideal mask (pass band exactly 1/d), the filtered map holds no more than every d-th of its
samples, and the convolution with spread taps is the plain convolution of those: filter, keep every d-th sample,
convolve, and interpolate back, for 1/d^2 of the work (FouriScale, arXiv 2403.12963, Section 3.2 and Eq. 5).

The filter works on cosines (DCT-II), which mirror a map at its borders instead of wrapping it around. Keeping
the lowest 1/d of them and evaluating those at every d-th place, between the pixels for even d, is one matrix an
axis; going back is another. Where the picture wraps, it works on Fourier's waves instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .separable import Pair, along_axes
from .sizes import Size
from .wrap import NOWHERE, Axes

MATRICES = 4  # that a `Decimation` consists of


def cosines(count: int, places: torch.Tensor, length: int) -> torch.Tensor:
    """(places, count): the first `count` orthonormal cosines of a grid of `length` samples, at any places."""
    order = torch.arange(count, dtype=torch.float64)
    waves = (math.pi / length * (places[:, None] + 0.5) * order).cos() * math.sqrt(2 / length)
    waves[:, 0] /= math.sqrt(2)
    return waves


def turns(count: int, places: torch.Tensor, length: int) -> torch.Tensor:
    """(places, 2 count): cosine and sine of the `count` slowest of Fourier's waves on a closed axis of `length`.

    Of an even `count` the fastest has one direction only. Over `length` they are orthonormal in pairs.
    """
    order = torch.fft.fftfreq(count, 1 / count, dtype=torch.float64)
    angles = 2 * math.pi / length * places[:, None] * order
    return torch.cat([angles.cos(), angles.sin()], 1) / math.sqrt(length)


def decimation(size: int, d: int, closed: bool = False) -> torch.Tensor:
    """(ceil(size / d), size): the band-limited axis at every d-th place, in float64.

    Where d does not divide the axis, its last sample goes on.

    Args:
        closed: whether the axis wraps; d divides it then.
    """
    basis = turns if closed else cosines
    count = math.ceil(size / d)
    length = count * d
    samples = basis(count, torch.arange(length, dtype=torch.float64), length)  # (length, waves)
    places = d * torch.arange(count, dtype=torch.float64) + (d - 1) / 2
    matrix = basis(count, places, length) @ samples.T
    matrix[:, size - 1] = matrix[:, size - 1 :].sum(1)
    return matrix[:, :size]


def interpolation(size: int, d: int, stride: int, closed: bool = False) -> torch.Tensor:
    """(ceil(size / stride), samples): back from a convolution of this stride over the decimated axis, in float64.

    The plain convolution's sample j lies at place `d stride j + (d - 1) / 2` of the axis, the wanted
    one's sample k at `stride k`.

    Args:
        closed: whether the axis wraps; d times the stride divides it then.
    """
    basis = turns if closed else cosines
    count, wanted = (math.ceil(math.ceil(size / n) / stride) for n in (d, 1))
    places = (stride * torch.arange(wanted, dtype=torch.float64) - (d - 1) / 2) / (stride * d)
    grid = basis(count, torch.arange(count, dtype=torch.float64), count)  # (count, waves), orthonormal rows
    return basis(count, places, count) @ grid.T


def closes(size: Size, d: int, stride: int, wrap: Axes) -> bool:
    """Whether every d-th sample of the wrapped axes, and those that the stride leaves, go round evenly."""
    return all(side % (d * stride) == 0 for side, closed in zip(size, wrap, strict=True) if closed)


@dataclass(frozen=True)
class Decimation:
    """Ready to be multiplied with maps of one (height, width)."""

    down: Pair  # (h, height) and (width, w)
    up: Pair  # (output height, h') and (w', output width)

    @classmethod
    def build(
        cls,
        size: Size,
        d: int,
        stride: int,
        device: torch.device | None,
        dtype: torch.dtype,
        wrap: Axes = NOWHERE,
    ) -> Decimation:
        """For maps of `size` before a convolution of this stride, with dilation `d`; wrapped ones must be `closes`."""
        axes = list(zip(size, wrap, strict=True))
        rows, columns = (decimation(side, d, closed).to(device, dtype) for side, closed in axes)
        back_rows, back_columns = (
            interpolation(side, d, stride, closed).to(device, dtype) for side, closed in axes
        )
        return cls((rows, columns.mT.contiguous()), (back_rows, back_columns.mT.contiguous()))

    @property
    def matrices(self) -> tuple[torch.Tensor, ...]:
        """Down and up again, `MATRICES` of them, in the pairs that `separable.along_axes` takes."""
        return *self.down, *self.up

    def decimated(self, x: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, height, width) at the training size."""
        return along_axes(x, self.down)

    def interpolated(self, y: torch.Tensor) -> torch.Tensor:
        """What the convolution made of those, at the map's size."""
        return along_axes(y, self.up)
