"""The flattest part of a picture, in which speckle shows: what a temperature on attention may leave there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_SIDE = 64  # pixels of a part, and half of the picture's shorter side at most
_OVERLAP = 2  # parts begin so many times a side


@dataclass(frozen=True)
class FlatArea:
    """A square of a picture.

    Attributes:
        left, top, side: in pixels.
        speckle: how far its pixels are from a plane of grey, the root of the mean square, in grey levels of 255.
    """

    left: int
    top: int
    side: int
    speckle: float


def flattest_area(image: Image.Image) -> FlatArea:
    """The square that is nearest to a plane of grey, so that a sky that gets darker upwards counts as flat."""
    grey = np.asarray(image.convert("L"), dtype=float)
    height, width = grey.shape
    side = min(_SIDE, height // 2, width // 2)
    step = max(side // _OVERLAP, 1)
    areas = (
        FlatArea(left, top, side, _distance_from_plane(grey[top : top + side, left : left + side]))
        for top in range(0, height - side + 1, step)
        for left in range(0, width - side + 1, step)
    )
    return min(areas, key=lambda area: area.speckle)


def _distance_from_plane(values: np.ndarray) -> float:
    """Of a square: the root mean square of what a least-squares plane leaves of it."""
    place = np.arange(len(values)) - (len(values) - 1) / 2
    centred = values - values.mean()
    for axis in (0, 1):  # rows and columns are orthogonal to each other, and to the mean
        along = place[:, None] if axis == 0 else place[None, :]
        weight = (along**2).sum() * len(values)
        centred = centred - along * ((centred * along).sum() / weight) if weight else centred
    return float(np.sqrt((centred**2).mean()))
