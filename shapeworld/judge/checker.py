"""Judges a picture against the scene that it should show: what is in it, how often, and is it right. Pure.

Every pixel takes the nearest palette colour and thin rims are given to their neighbours. What is connected
and not of the border's colour is a thing; each of its one-coloured pieces is an object unless it is a speck
or a stain, and takes the name of the ideal circle, square or triangle that it overlaps most.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from ..scenes import Object, Scene
from .palette import NAMES, nearest_colors

SMALLEST_SIDE = 64  # below, the smallest object is some ten pixels wide and its shape a matter of luck

# The picture is first scaled so that its shorter side has this many pixels: thresholds then mean the same
# at every size, and a judgement takes the same time at 64 px and at 4096 px.
_SIDE = 192

# A colour that is nowhere wider than 2 x _RIM is a rim (yellow next to blue blends through grey and green),
# not an object. At 64 px anti-aliasing blurs an edge over 4 pixels of the scaled picture; the smallest
# triangle holds a disc of radius 15.
_RIM = 2.5

# Corners narrower than a rim belong to their object: the tip of a 60 degree corner is 2 x _RIM away from the
# centre of the last disc that fits into it. One more pixel for the grid.
_REACH = 2 * _RIM + 1

# The smallest object (a triangle of radius 0.13) covers 0.0316 of the shorter side squared. A sixth of that
# is seen as a thing of its own; less is a speck.
_SMALLEST_AREA = 0.0316 / 6

# A piece of another colour is an object of its own if at most this part of its outline touches the thing that
# it is connected with: two objects that grew together touch along a short line. Otherwise it is a stain.
_MOST_CONTACT = 0.5

# The background is the most common colour of a frame this wide, as a fraction of the shorter side:
# scenes keep it free of objects.
_FRAME = 0.03

# Two centres count as left/right or above/below each other from this distance on, as a fraction of the
# picture; in true scenes it is 0.4 or more.
_LEAST_SHIFT = 0.1


@dataclass(frozen=True)
class Found:
    """One thing seen in a picture.

    `shape` is a name of `SHAPES` or "unknown". `y` and `x` are the bounding box's centre and `box` is
    (top, left, bottom, right), all as fractions of height and width; `area` is a fraction of the picture.
    """

    shape: str
    color: str
    y: float
    x: float
    box: tuple[float, float, float, float]
    area: float


@dataclass(frozen=True)
class Report:
    """What a picture shows, largest object first, and how that compares with its scene.

    `repeated`: more objects than the scene has. `correct`: as many objects, every colour and shape, the
    relation and the background as the scene has them. Places and sizes are not judged.
    """

    objects: tuple[Found, ...]
    background: str
    repeated: bool
    correct: bool

    @property
    def objects_found(self) -> int:
        return len(self.objects)


def check(image: Image.Image, scene: Scene) -> Report:
    """Judge a picture of any size and aspect ratio, its shorter side 64 pixels or more.

    Raises:
        TypeError: `image` is no PIL image.
        ValueError: the picture is too small.
    """
    if not isinstance(image, Image.Image):
        raise TypeError(f"image is a {type(image).__name__}; a PIL image is needed")
    if min(image.size) < SMALLEST_SIDE:
        raise ValueError(
            f"the image has width {image.width}, height {image.height}; both must be {SMALLEST_SIDE} or more"
        )
    colors = _without_rims(nearest_colors(_scaled(image)))  # (height, width), positions in NAMES
    background = _frame_color(colors)
    objects = _objects(colors, background)
    return Report(
        objects=objects,
        background=NAMES[background],
        repeated=len(objects) > len(scene.objects),
        correct=NAMES[background] == scene.background and _same_objects(objects, scene),
    )


def _scaled(image: Image.Image) -> np.ndarray:
    """The picture as uint8 (height, width, 3) with a shorter side of `_SIDE`."""
    scale = _SIDE / min(image.size)
    width, height = (round(scale * side) for side in image.size)
    return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))


def _without_rims(colors: np.ndarray) -> np.ndarray:
    """Gives all pixels of thin places to the nearest pixel that is none of them."""
    kept = np.zeros(colors.shape, bool)
    for color in np.unique(colors):
        mask = colors == color
        core = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1] > _RIM
        if core.any():
            kept |= mask & (ndimage.distance_transform_edt(~core) <= _REACH)
    if not kept.any():  # no colour is wide anywhere: nothing but noise
        return colors
    rows, columns = ndimage.distance_transform_edt(~kept, return_distances=False, return_indices=True)
    return colors[rows, columns]


def _frame_color(colors: np.ndarray) -> int:
    """The most common colour along the picture's border."""
    inner = np.ones(colors.shape, bool)
    wide = round(_FRAME * _SIDE)
    inner[wide:-wide, wide:-wide] = False
    return int(np.bincount(colors[inner], minlength=len(NAMES)).argmax())


def _objects(colors: np.ndarray, background: int) -> tuple[Found, ...]:
    """Everything that stands out from the background and is no speck, largest first."""
    found = []
    things, _ = ndimage.label(colors != background)
    areas = np.bincount(things.ravel())
    for number, place in enumerate(ndimage.find_objects(things), 1):
        if areas[number] < _SMALLEST_AREA * _SIDE**2:
            continue
        # One pixel of surroundings, so that a piece's neighbours can be seen.
        around = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in place)
        thing = things[around] == number
        for piece, color in _pieces(np.where(thing, colors[around], background), thing):
            found.append(_describe(piece, NAMES[color], around, colors.shape))
    return tuple(sorted(found, key=lambda item: -item.area))


def _pieces(colors: np.ndarray, thing: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """What a connected thing consists of, as masks and colours: its largest one-coloured piece, and every
    other that is no speck and no stain. A stain leaves a hole in the piece that it lies on."""
    pieces = []
    for color in np.unique(colors[thing]):
        labels, count = ndimage.label(thing & (colors == color))
        pieces += [(labels == number, int(color)) for number in range(1, count + 1)]
    pieces.sort(key=lambda piece: -piece[0].sum())
    largest, *others = pieces
    return [largest] + [
        (mask, color)
        for mask, color in others
        if mask.sum() >= _SMALLEST_AREA * _SIDE**2 and _contact(mask, thing) <= _MOST_CONTACT
    ]


def _contact(mask: np.ndarray, thing: np.ndarray) -> float:
    """The fraction of a piece's neighbouring pixels that belong to the same thing."""
    neighbours = ndimage.binary_dilation(mask) & ~mask
    return thing[neighbours].mean()


def _describe(mask: np.ndarray, color: str, place: tuple[slice, ...], size: tuple[int, int]) -> Found:
    """`mask` lies at `place` in a picture of `size` (height, width)."""
    (rows, columns), (height, width) = ndimage.find_objects(mask.astype(np.int8))[0], size
    top, bottom = ((place[0].start + row) / height for row in (rows.start, rows.stop))
    left, right = ((place[1].start + column) / width for column in (columns.start, columns.stop))
    return Found(
        shape=_shape(mask[rows, columns]),
        color=color,
        y=(top + bottom) / 2,
        x=(left + right) / 2,
        box=(top, left, bottom, right),
        area=float(mask.sum() / (height * width)),
    )


class _Ideal(NamedTuple):
    """An ideal shape, and how far a piece may be from it and still be called by its name.

    `covers`: whether points lie inside, by distance from its centre of mass in standard deviations (dy down,
    dx right). `overlap`: the least intersection over union. `stretch`: how many times as wide as high, or
    high as wide, compared with the true shape.
    """

    covers: Callable[[np.ndarray, np.ndarray], np.ndarray]
    overlap: float
    stretch: float


# A deviation is radius / 2 for a circle, side / sqrt(12) for a square, height / sqrt(18) and width / sqrt(24)
# for a triangle. For all three, equilateral triangle included, both deviations are equal.
#
# Overlap: rendered truth reaches 0.98 at 64 px, and 0.95 when blurred and noisy at 128 px. A circle and a
# square overlap by 0.83, so a blob half-way is neither. The same unsteady outline costs a triangle a third more
# than a circle, having the longest outline for its area, and nothing that is none comes near: right-angled
# triangles, kites, houses and double peaks reach 0.66 to 0.79.
# Stretch: beyond 1.3 a circle is an oval and a square an oblong, while a narrow triangle still is one.
_IDEALS = {
    "circle": _Ideal(lambda dy, dx: dy**2 + dx**2 <= 4, overlap=0.9, stretch=1.3),
    "square": _Ideal(
        lambda dy, dx: (np.abs(dy) <= math.sqrt(3)) & (np.abs(dx) <= math.sqrt(3)), overlap=0.9, stretch=1.3
    ),
    "triangle": _Ideal(
        lambda dy, dx: (dy <= math.sqrt(2)) & (np.abs(dx) / math.sqrt(6) <= dy / math.sqrt(18) + 2 / 3),
        overlap=0.85,
        stretch=1.5,
    ),
}


def _shape(mask: np.ndarray) -> str:
    """The name of the ideal shape that overlaps a mask (height, width) most, or "unknown".

    The ideal shapes are placed and stretched to the mask's mean and standard deviation along each axis.
    Unlike a bounding box, these hardly move when a corner is blunt or an edge frayed.
    """
    y, y_deviation = _spread(mask.sum(1))
    x, x_deviation = _spread(mask.sum(0))
    margin = max(mask.shape) // 2  # an ideal shape may reach beyond the mask
    mask = np.pad(mask, margin)
    dy = ((np.arange(mask.shape[0]) - margin - y) / y_deviation)[:, None]
    dx = ((np.arange(mask.shape[1]) - margin - x) / x_deviation)[None, :]
    overlaps = {}
    for name, ideal in _IDEALS.items():
        covered = ideal.covers(dy, dx)
        overlaps[name] = (mask & covered).sum() / (mask | covered).sum()
    best = max(overlaps, key=overlaps.__getitem__)
    stretch = max(x_deviation / y_deviation, y_deviation / x_deviation)
    fits = overlaps[best] >= _IDEALS[best].overlap and stretch <= _IDEALS[best].stretch
    return best if fits else "unknown"


def _spread(counts: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the position along an axis; a pixel is a bar of width 1, not a point."""
    positions = np.arange(len(counts))
    mean = np.average(positions, weights=counts)
    return mean, math.sqrt(np.average((positions - mean) ** 2, weights=counts) + 1 / 12)


def _same_objects(found: tuple[Found, ...], scene: Scene) -> bool:
    """Whether the same colours and shapes were found, in the scene's relation."""
    if sorted((item.color, item.shape) for item in found) != sorted(
        (i.color, i.shape) for i in scene.objects
    ):
        return False
    if scene.relation is None:
        return True
    first, second = (_only(found, item) for item in scene.objects)
    shift = {
        "left of": second.x - first.x,
        "right of": first.x - second.x,
        "above": second.y - first.y,
        "below": first.y - second.y,
    }
    return shift[scene.relation] >= _LEAST_SHIFT


def _only(found: tuple[Found, ...], item: Object) -> Found:
    """The one found object of an item's colour; the two of a scene never share theirs."""
    return next(seen for seen in found if seen.color == item.color)
