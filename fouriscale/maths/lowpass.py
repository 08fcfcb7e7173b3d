"""Pad, filter and crop as small matrices, one pair an axis. Pure.

The published filter pads a map, multiplies its 2-D spectrum with the outer product of two masks,
keeps the real part and crops. A mask of one axis is the sum of an even part e and an odd part o
(under index negation), and the real part keeps `e (x) e + o (x) o`. In space both are circulant:
`A[i, j] = a[i - j]` with `a = iDFT(e)`, and `B[i, j] = b[i - j]` with `b = Im iDFT(o)`. Padding and
cropping take the upper left corner, so the whole filter is `A_h X A_w^T - B_h X B_w^T`, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from .separable import Pair, along_axes


@dataclass(frozen=True)
class Window:
    """One low-pass filter: how much of the spectrum passes, and how softly it ends.

    Attributes:
        scale: s >= 1; about 1/s of each axis's spectrum passes.
        floor: what is left of the frequencies that do not, in [0, 1).
        weak: the milder slope of the guidance branch instead of the steep one.
    """

    scale: float
    floor: float = 0.0
    weak: bool = False

    def mask(self, n: int, device: torch.device | None = None) -> torch.Tensor:
        """The mask (n,) over FFT bins 0, 1, ..., -2, -1 in float64 (float32 where there is none).

        `m(k) = clamp((1 - v) / R (n / (2 s) + 1 - k) + 1, v, 1)`; bins 0 and -1 get m(0), bins 1
        and -2 get m(1), and so on: half a bin off centre, as published.
        """
        bins = torch.arange(n, device=device, dtype=_working_dtype(device))
        k = torch.minimum(bins, n - 1 - bins)
        if self.weak:
            slope = int((self.scale - 1) * n // (2 * self.scale))
        else:
            slope = max(n // 8, 1)
        if slope == 0:
            return torch.ones_like(k)
        ramp = (1 - self.floor) / slope * (n / (2 * self.scale) + 1 - k) + 1
        return ramp.clamp(self.floor, 1)

    def is_identity(self, n: int) -> bool:
        """Whether an axis of n bins passes unchanged."""
        return bool((self.mask(n) == 1).all())


def axis_matrices(
    size: int, padded: int, window: Window, device: torch.device | None, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """The even and odd operator (A, B) of one axis, each (size, size).

    Args:
        size: length of the axis.
        padded: its length after zero-padding, >= size.
        window: the filter.
        device: where they are made; nothing is copied between devices.
        dtype: of the result.
    """
    mask = window.mask(padded, device)
    negated = mask.roll(-1).flip(0)  # the value at bin -j
    even, odd = (mask + negated) / 2, (mask - negated) / 2
    bins = torch.arange(padded, device=device, dtype=mask.dtype)
    angles = bins[:, None] * bins[None, :] % padded * (2 * math.pi / padded)
    a = angles.cos() @ even / padded  # (padded,)
    b = angles.sin() @ odd / padded
    lag = torch.arange(size, device=device)
    lag = (lag[:, None] - lag[None, :]) % padded
    return a[lag].to(dtype), b[lag].to(dtype)


@dataclass(frozen=True)
class LowPass:
    """Pad, filter and crop for maps of one (height, width), ready to be multiplied with."""

    rows: torch.Tensor  # (height, 2 height): A_h and -B_h, a column of each in turn
    columns: torch.Tensor  # (width, 2 width): A_w^T beside B_w^T

    @classmethod
    def build(
        cls,
        size: tuple[int, int],
        padded: tuple[int, int],
        window: Window,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> LowPass | None:
        """The filter for maps of `size` padded to `padded`, both (height, width); None if it is the identity."""
        if all(window.is_identity(n) for n in padded):
            return None
        (a_h, b_h), (a_w, b_w) = (
            axis_matrices(*n, window, device, dtype) for n in zip(size, padded, strict=True)
        )
        return cls(torch.stack([a_h, -b_h], dim=2).flatten(1), torch.cat([a_w.mT, b_w.mT], dim=1))

    @property
    def matrices(self) -> Pair:
        """What `separable.along_axes` takes."""
        return self.rows, self.columns

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Filter maps (B, C, height, width); same shape."""
        return along_axes(x, self.matrices)


def _working_dtype(device: torch.device | None) -> torch.dtype:
    return torch.float32 if device is not None and torch.device(device).type == "mps" else torch.float64
