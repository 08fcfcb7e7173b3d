"""How sharp a picture's edges are and how even its flat areas, which being correct does not tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from .checker import Report
from .palette import NAMES, nearest_colors

_NEAR = 0.04  # an edge reaches this far to either side, as a fraction of the shorter side
_OFF = 24  # levels of 255; a colour this far from all blends of an edge's two sides is a fringe
_WINDOW = 9  # pixels; grain is what varies within a square of this side


@dataclass(frozen=True)
class Texture:
    """Three measures of a picture, to be compared with those of its scene's `render` at the same size.

    `edge_width`: how far the largest object's edge takes to go from 10% to 90% of the step between background and
    object, pixels, averaged over its outline; None where there is no object. `grain`: standard deviation within
    squares of 9 pixels that lie in one flat colour, in levels of 255, root mean square over squares and channels;
    None where no such square fits. `fringes`: of the pixels near the largest object's outline, the part whose colour
    is more than 24 levels away from the object's, the background's and every blend of those two; None where there is
    no object.
    """

    edge_width: float | None
    grain: float | None
    fringes: float | None


def texture(image: Image.Image, report: Report) -> Texture:
    """Measure a picture with what `check` found in it."""
    pixels = np.asarray(image.convert("RGB"))
    names = nearest_colors(pixels)
    values = pixels.astype(float)
    edge = _outline(values, names, report)
    width, fringes = (None, None) if edge is None else (_edge_width(*edge), _fringes(*edge))
    return Texture(width, _grain(values, names), fringes)


def _outline(
    pixels: np.ndarray, names: np.ndarray, report: Report
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The largest object's surroundings, and how those blend; None where there is no object.

    Returns:
        (height, width, 3) colours less the background's, (3,) the object's colour less the background's, and
        (height, width) whether a pixel is near the outline.
    """
    found = next((item for item in report.objects if item.color != report.background), None)
    if found is None:
        return None
    height, width = names.shape
    near = round(_NEAR * min(height, width))
    top, left, bottom, right = found.box
    around = (
        slice(max(0, round(top * height) - 2 * near), round(bottom * height) + 2 * near),
        slice(max(0, round(left * width) - 2 * near), round(right * width) + 2 * near),
    )
    pixels, names = pixels[around], names[around]
    inside, outside = (
        np.median(pixels[names == NAMES.index(name)], axis=0) for name in (found.color, report.background)
    )
    step = inside - outside
    across = _blend(pixels - outside, step) > 0.5
    distance = np.where(
        across, ndimage.distance_transform_edt(across), ndimage.distance_transform_edt(~across)
    )
    return pixels - outside, step, distance <= near


def _blend(pixels: np.ndarray, step: np.ndarray) -> np.ndarray:
    """How much of the object's colour is in each pixel: 0 outside, 1 inside."""
    return (pixels @ step) / (step @ step)


def _edge_width(pixels: np.ndarray, step: np.ndarray, near: np.ndarray) -> float:
    """The area between 10% and 90% over the outline's length.

    A profile's total variation across an edge is 1, so the sum of the gradient along the whole outline is its
    length (the co-area formula); noise aside, this holds for an outline of any shape.
    """
    level = _blend(pixels, step)
    length = np.hypot(*np.gradient(level))[near].sum()
    return float(((level > 0.1) & (level < 0.9) & near).sum() / length)


def _fringes(pixels: np.ndarray, step: np.ndarray, near: np.ndarray) -> float:
    blends = _blend(pixels, step).clip(0, 1)[..., None] * step
    return float((np.linalg.norm(pixels - blends, axis=-1) > _OFF)[near].mean())


def _grain(pixels: np.ndarray, names: np.ndarray) -> float | None:
    near = round(_NEAR * min(names.shape)) + _WINDOW
    flat = np.zeros(names.shape, bool)
    for name in np.unique(names):
        # Opened, so that single pixels of another colour count as grain and not as edges.
        other = ndimage.binary_opening(names != name, np.ones((3, 3)))
        flat |= (ndimage.distance_transform_edt(~other) > near) & (names == name)
    half = _WINDOW // 2
    flat[:half] = flat[-half:] = False
    flat[:, :half] = flat[:, -half:] = False
    if not flat.any():
        return None
    mean, square = (ndimage.uniform_filter(values, (_WINDOW, _WINDOW, 0)) for values in (pixels, pixels**2))
    return float(np.sqrt((square - mean**2).clip(0)[flat].mean()))
