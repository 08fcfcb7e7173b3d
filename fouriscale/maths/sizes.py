"""Which training size a target size is treated as a multiple of. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Size = tuple[int, int]  # (height, width)
RULES = ("published", "nearest")
RESAMPLINGS = ("cosines", "area", "nearest", "bicubic")  # how maps get to another size; `grid` has them
SIZE_MULTIPLE = 8  # of height and width, which Stable Diffusion's pipelines ask for, whatever their VAE
TOLERANCE = 1.1  # up to this many times a size counts as that size for the nearest rule


@dataclass(frozen=True)
class Fit:
    """A target size seen as `dilation` times a training size, padded up to the full multiple.

    Attributes:
        training_size: (height, width) of the training size chosen, in the unit it was given in.
        dilation: how many times it is taken on each axis, a whole number but for the deep grid; 1 leaves the model
            as it is.
    """

    training_size: Size
    dilation: float

    @property
    def padded_size(self) -> Size:
        """(height, width) after padding at the bottom and right; the nearest rule may leave it below the target."""
        height, width = (math.ceil(self.dilation) * side for side in self.training_size)
        return height, width


def fit(height: int, width: int, training_sizes: Sequence[Size], rule: str = "published") -> Fit:
    """Choose the training size for a target of `height` x `width` (same unit for all), by one of `RULES`."""
    choose = fit_nearest if rule == "nearest" else fit_published
    return choose(height, width, training_sizes)


def fit_area(height: int, width: int, training_sizes: Sequence[Size]) -> Fit:
    """For the deep grid: the training size of the nearest aspect ratio, and the root of the areas' ratio.

    Up to a tenth beyond the training size on each axis nothing is done. Ours.
    """
    best = _nearest(height, width, training_sizes)
    factor = math.sqrt(height * width / math.prod(best))
    return Fit(best, factor if factor > TOLERANCE else 1)


def _nearest(height: int, width: int, training_sizes: Sequence[Size]) -> Size:
    """The training size of the nearest aspect ratio, the larger of two that are as near."""

    def apart(size: Size) -> tuple[float, int]:
        return abs(math.log(height / width) - math.log(size[0] / size[1])), -size[0] * size[1]

    return min(training_sizes, key=apart)


def fit_nearest(height: int, width: int, training_sizes: Sequence[Size]) -> Fit:
    """The training size of the nearest aspect ratio, the larger of two that are as near.

    The dilation is the smallest whole factor that covers the target but for a tenth: 5% beyond the
    training size is no reason to dilate by 2. What is not covered is filtered unpadded. Ours.
    """
    best = _nearest(height, width, training_sizes)
    factors = (
        math.ceil(side / (TOLERANCE * base) - 1e-9) for side, base in zip((height, width), best, strict=True)
    )
    return Fit(best, max(1, *factors))


def fit_published(height: int, width: int, training_sizes: Sequence[Size]) -> Fit:
    """The published rule: among the training sizes that need the same whole factor on both axes, the one
    with the least padded height plus width. Where there is none (130 of SDXL's sizes up to 4096), ours:
    the smallest factor first, then the least padding. A target that lies within a training size gets
    dilation 1.

    Source: Huang et al., FouriScale (arXiv 2403.12963), Section 3.4, and the authors' code.
    """

    def factors(size: Size) -> Size:
        return math.ceil(height / size[0]), math.ceil(width / size[1])

    def padded(size: Size) -> int:
        return max(factors(size)) * sum(size)

    even = [size for size in training_sizes if factors(size)[0] == factors(size)[1]]
    if even:
        best = min(even, key=padded)
    else:
        best = min(training_sizes, key=lambda size: (max(factors(size)), padded(size)))
    return Fit(best, max(factors(best)))


def size_at(latent_size: Size, level: int) -> Size:
    """Of the maps `level` downsamplings below a sample of `latent_size`."""
    height, width = (math.ceil(side / 2**level) for side in latent_size)
    return height, width


def check_size(height: int, width: int, multiple: int) -> None:
    """Refuse pixels that the model's grid cannot hold.

    Raises:
        ValueError: a side is not a positive multiple of `multiple`; the sentence names sizes that work.
    """
    if all(side > 0 and side % multiple == 0 for side in (height, width)):
        return
    lower = [max(side // multiple, 1) * multiple for side in (height, width)]
    upper = [max(-(-side // multiple), 1) * multiple for side in (height, width)]
    near = f"width {lower[1]}, height {lower[0]}"
    if upper != lower:
        near += f" or width {upper[1]}, height {upper[0]}"
    raise ValueError(
        f"width {width}, height {height} does not fit: both must be positive multiples of {multiple}; "
        f"near it, {near} work"
    )
