"""What one call of the UNet does, as plain values. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .grid import DeepGrid
from .sizes import Size, size_at
from .tokens import Grids, SampledTokens
from .wrap import NOWHERE, Axes


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of one UNet call.

    Attributes:
        count: how many the caller passes.
        guided: whether they are [unconditional, conditional], half each.
        conditional: how many are conditional; they come last.
    """

    count: int
    guided: bool
    conditional: int


@dataclass(frozen=True, kw_only=True)
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
        guidance_rows: conditional rows appended for the guidance branch.
        guidance_factor: on the difference between conditional and unconditional.
        decimated: whether filtered convolutions of the strong branch are computed at the training size.
        grid: on which the deep blocks run; where there is one, no convolution is dilated.
        wrap: the axes on which the picture wraps.
        border: what dilated convolutions see beyond the other borders.
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
    guidance_rows: int
    guidance_factor: float
    decimated: bool = False
    grid: DeepGrid | None = None
    wrap: Axes = NOWHERE
    border: str = "zeros"


@dataclass(frozen=True, kw_only=True)
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

    def keys(self, level: int) -> SampledTokens:
        """The tokens that all look at, of maps `level` downsamplings below the sample."""
        return SampledTokens(size_at(self.latent_size, level), size_at(self.training_size, level))


def padded_size(
    size: Size, *, latent_size: Size, training_size: Size, factor: int, wrap: Axes = NOWHERE
) -> Size:
    """What a map of `size` is padded to before it is filtered: `factor` times its counterpart at the training size.

    Args:
        size: of the map.
        latent_size: of the sample.
        training_size: in latent pixels.
        factor: how many times the training size is taken on each axis.
        wrap: the axes on which the map goes round, so that nothing is added there.
    """
    level = max(round(math.log2(whole / part)) for whole, part in zip(latent_size, size, strict=True))
    wanted = (math.ceil(side / 2**level) * factor for side in training_size)
    height, width = (
        side if closed else max(side, least) for side, least, closed in zip(size, wanted, wrap, strict=True)
    )
    return height, width
