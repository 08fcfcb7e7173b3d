"""What one call of the UNet does. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch

from .lowpass import LowPass, Window

Size = tuple[int, int]  # (height, width)


@dataclass(frozen=True)
class Plan:
    """What one call of the UNet does.

    Attributes:
        dilation: d_i, before rounding up.
        strong_dilation: of the rows that the caller passes.
        weak_dilation: of the guidance branch's rows.
        latent_size: of the sample.
        training_size: in latent pixels.
        factor: how many times the training size is taken on each axis.
        floor: what the filter leaves of the frequencies it stops.
        rows: of the sample as the caller passes it.
        guided: whether they are [unconditional, conditional].
        lent: conditional rows appended for the guidance branch.
        guidance_factor: on the difference between conditional and unconditional.
        filters: by (size, stride, weak); None where the filter is the identity.
    """

    dilation: float
    strong_dilation: int
    weak_dilation: int
    latent_size: Size
    training_size: Size
    factor: int
    floor: float
    rows: int
    guided: bool
    lent: int
    guidance_factor: float
    filters: dict[tuple[Size, int, bool], LowPass | None] = field(default_factory=dict, compare=False)

    def size_at(self, level: int) -> Size:
        """Of the maps `level` downsamplings below the sample."""
        height, width = (math.ceil(side / 2**level) for side in self.latent_size)
        return height, width

    def padded(self, size: Size) -> Size:
        """What a map of `size` is padded to: `factor` times its counterpart at the training size."""
        level = max(
            round(math.log2(whole / part)) for whole, part in zip(self.latent_size, size, strict=True)
        )
        height, width = (math.ceil(side / 2**level) * self.factor for side in self.training_size)
        return max(height, size[0]), max(width, size[1])

    def build_filters(
        self, places: Iterable[tuple[int, int]], device: torch.device, dtype: torch.dtype
    ) -> None:
        """Make the filters for maps at each (level, stride), in both branches, that are not there yet.

        Ahead of the UNet rather than where they are used, so that a compiled UNet finds tensors and
        does not depend on how they came about.
        """
        for level, stride in places:
            for weak in (False, True) if self.lent else (False,):
                self._build(self.size_at(level), stride, weak, device, dtype)

    def low_pass(self, x: torch.Tensor, stride: int, weak: bool) -> LowPass | None:
        """The filter for maps x (B, C, height, width) before a convolution of this stride."""
        size = (x.shape[-2], x.shape[-1])
        if (size, stride, weak) not in self.filters:  # a map that `build_filters` could not foresee
            self._build(size, stride, weak, x.device, x.dtype)
        return self.filters[size, stride, weak]

    def _build(self, size: Size, stride: int, weak: bool, device: torch.device, dtype: torch.dtype) -> None:
        if (size, stride, weak) not in self.filters:
            window = Window(max(self.dilation / stride, 1.0), self.floor, weak)
            self.filters[size, stride, weak] = LowPass.build(size, self.padded(size), window, device, dtype)
