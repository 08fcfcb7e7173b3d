"""Judges a picture that wraps: a shape across its edge is one shape. Pure.

The picture is rolled until its border runs where it is emptiest, judged as any other, and what was found is rolled
back. On a wrapped axis nothing lies left of or above anything, so that such a relation is not judged.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from ..scenes import Scene
from . import checker
from .checker import Found, Report
from .palette import nearest_colors

WRAPS = {"none": (False, False), "width": (False, True), "height": (True, False), "both": (True, True)}
_AXIS = {"left of": 1, "right of": 1, "above": 0, "below": 0}  # of a relation: 0 down, 1 across
_BORDER = (
    0.06  # how wide a strip is to be empty, as a fraction of the side: the checker's frame at either end
)


def check(image: Image.Image, scene: Scene, wrap: str = "none") -> Report:
    """Judge a picture of any size and aspect ratio, its shorter side 64 pixels or more.

    Args:
        image: the picture.
        scene: what it should show.
        wrap: on which axes its opposite edges are neighbours: "none", "width", "height" or "both". A box that lies
            across an edge ends beyond 1.

    Raises:
        TypeError: `image` is no PIL image.
        ValueError: the picture is too small, or `wrap` is none of these.
    """
    if wrap not in WRAPS:
        raise ValueError(f"wrap={wrap!r}: must be one of {', '.join(WRAPS)}")
    axes = WRAPS[wrap]
    if not any(axes) or not isinstance(image, Image.Image):
        return checker.check(image, scene)
    if scene.relation is not None and axes[_AXIS[scene.relation]]:
        scene = dataclasses.replace(scene, relation=None)
    pixels = np.asarray(image.convert("RGB"))
    shift = _shift(nearest_colors(pixels), axes)
    report = checker.check(Image.fromarray(np.roll(pixels, shift, (0, 1))), scene)
    down, right = (places / side for places, side in zip(shift, pixels.shape, strict=False))
    objects = tuple(_rolled_back(item, down, right) for item in report.objects)
    return dataclasses.replace(report, objects=objects)


def _shift(colors: np.ndarray, axes: tuple[bool, bool]) -> tuple[int, int]:
    """By how many pixels (down, right) colours (height, width) are to be rolled, so that the border runs where there
    is most of the most common one."""
    other = colors != np.bincount(colors.ravel()).argmax()
    down, right = (_to_emptiest(other.mean(1 - axis)) if wrapped else 0 for axis, wrapped in enumerate(axes))
    return down, right


def _to_emptiest(filled: np.ndarray) -> int:
    """By how many places a closed axis is to be rolled, so that its two ends meet in the middle of its emptiest strip.

    Args:
        filled: how much of each line of pixels is filled.
    """
    count = len(filled)
    half = max(round(_BORDER * count / 2), 1)
    around = np.concatenate([filled[count - half :], filled, filled[: half - 1]])
    strips = np.convolve(
        around, np.ones(2 * half), "valid"
    )  # strip i is that around the border before line i
    emptiest = strips.round(9) == strips.round(9).min()
    return -_middle_of_longest(emptiest) % count


def _middle_of_longest(chosen: np.ndarray) -> int:
    """The middle of the longest run of a closed axis."""
    if chosen.all():
        return 0
    start = int(np.flatnonzero(~chosen)[0])
    runs = np.flatnonzero(np.diff(np.concatenate([[0], np.roll(chosen, -start).astype(int), [0]])))
    begins, ends = runs[::2], runs[1::2]
    longest = int((ends - begins).argmax())
    return int(start + (begins[longest] + ends[longest] - 1) // 2) % len(chosen)


def _rolled_back(item: Found, down: float, right: float) -> Found:
    """What was found, as it lies in the picture itself; rolled by fractions of height and width."""
    top, left, bottom, far = item.box
    height, width = bottom - top, far - left
    top, left = (top - down) % 1, (left - right) % 1
    return dataclasses.replace(
        item, y=(item.y - down) % 1, x=(item.x - right) % 1, box=(top, left, top + height, left + width)
    )
