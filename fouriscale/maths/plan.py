"""What one call of the UNet does. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import torch

from .decimate import Decimation
from .lowpass import LowPass, Window
from .tokens import Grids, SampledTokens, Size


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
        decimated: whether filtered convolutions of the strong branch are computed at the training size.
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
    decimated: bool = False
    filters: dict[tuple[Size, int, bool], LowPass | Decimation | None] = field(
        default_factory=dict, compare=False
    )

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
                self._build(size_at(self.latent_size, level), stride, weak, device, dtype)

    def filter(self, x: torch.Tensor, stride: int, weak: bool) -> LowPass | Decimation | None:
        """What filters maps x (B, C, height, width) before a convolution of this stride."""
        size = (x.shape[-2], x.shape[-1])
        if (size, stride, weak) not in self.filters:  # a map that `build_filters` could not foresee
            self._build(size, stride, weak, x.device, x.dtype)
        return self.filters[size, stride, weak]

    def _build(self, size: Size, stride: int, weak: bool, device: torch.device, dtype: torch.dtype) -> None:
        if (size, stride, weak) in self.filters:
            return
        made: LowPass | Decimation | None
        if self.decimated and not weak:
            made = Decimation.build(size, self.strong_dilation, stride, device, dtype)
        else:
            window = Window(max(self.dilation / stride, 1.0), self.floor, weak)
            made = LowPass.build(size, self.padded(size), window, device, dtype)
        self.filters[size, stride, weak] = made


@dataclass(frozen=True)
class Sparsity:
    """Which tokens see which in the self-attentions of one call of the UNet.

    Attributes:
        latent_size: of the sample.
        training_size: in latent pixels.
        factor: polyphase grids on each axis; None: all tokens look at as many as in training.
    """

    latent_size: Size
    training_size: Size
    factor: int | None = None

    def grids(self, level: int) -> Grids | None:
        """Those of maps `level` downsamplings below the sample, each of which attends within itself."""
        return Grids(size_at(self.latent_size, level), self.factor) if self.factor else None

    def keys(self, level: int) -> SampledTokens | None:
        """The tokens that all look at, of maps `level` downsamplings below the sample."""
        if self.factor:
            return None
        return SampledTokens(size_at(self.latent_size, level), size_at(self.training_size, level))


class Planned(Protocol):
    """Whatever knows what the UNet call in flight does."""

    @property
    def plan(self) -> Plan | None: ...

    @property
    def sparsity(self) -> Sparsity | None: ...


def size_at(latent_size: Size, level: int) -> Size:
    """Of the maps `level` downsamplings below a sample of `latent_size`."""
    height, width = (math.ceil(side / 2**level) for side in latent_size)
    return height, width
