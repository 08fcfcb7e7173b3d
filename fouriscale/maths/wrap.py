"""On which axes a picture wraps, so that its opposite edges are neighbours: tiles and panoramas. Pure."""

from __future__ import annotations

from .sizes import Size

Axes = tuple[bool, bool]  # (height, width): whether the top meets the bottom, and the left the right
NOWHERE: Axes = (False, False)
WRAPS: dict[str, Axes] = {
    "none": NOWHERE,
    "width": (False, True),
    "height": (True, False),
    "both": (True, True),
}
EDGES = {
    "width": "left and right edge are neighbours",
    "height": "top and bottom edge are neighbours",
    "both": "opposite edges are neighbours",
}
"""What wrapping means, in words."""


def name_of(axes: Axes) -> str:
    """The key of `WRAPS`."""
    return next(name for name, known in WRAPS.items() if known == axes)


def either(one: Axes, other: Axes) -> Axes:
    """The axes on which one or the other wraps."""
    return one[0] or other[0], one[1] or other[1]


def check_sides(size: Size, multiple: int, wrap: Axes) -> None:
    """Refuse a wrapped side that the UNet's strides do not divide: its two ends would meet out of step.

    Args:
        size: (height, width) of the picture in pixels.
        multiple: pixels from one place of the coarsest map to the next.

    Raises:
        ValueError: the sentence names the nearest side that wraps.
    """
    for name, side, wrapped in zip(("height", "width"), size, wrap, strict=True):
        if wrapped and (side % multiple or not side):
            raise ValueError(
                f"{name} {side} cannot wrap: a wrapped {name} must be a multiple of {multiple} for this model, "
                f"such as {_nearest(side, multiple)}"
            )


def _nearest(side: int, multiple: int) -> str:
    below = side // multiple * multiple
    above = below + multiple
    if not below:
        return str(above)
    if side - below == above - side:
        return f"{below} or {above}"
    return str(min(below, above, key=lambda near: abs(near - side)))
