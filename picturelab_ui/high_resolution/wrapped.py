"""Pictures that wrap, so that one sees whether they do: rolled by half, and repeated beside themselves. Pure."""

from __future__ import annotations

from PIL import Image, ImageChops

from fouriscale.maths.wrap import Axes

AS_IT_IS, ROLLED, REPEATED = "as it is", "rolled by half", "repeated"
VIEWS = (AS_IT_IS, ROLLED, REPEATED)
_LONGEST = 2048  # pixels of a side: tiles of large pictures are shown smaller


def seen_as(picture: Image.Image, axes: Axes, view: str) -> Image.Image:
    """The picture in one of `VIEWS`.

    Args:
        axes: (height, width): those on which it wraps.
    """
    if view == ROLLED:
        return rolled(picture, axes)
    return repeated(picture, axes) if view == REPEATED else picture


def rolled(picture: Image.Image, axes: Axes) -> Image.Image:
    """Its edges in the middle: a seam would show there."""
    down, right = (side // 2 * closed for side, closed in zip(reversed(picture.size), axes, strict=True))
    return ImageChops.offset(picture, right, down)


def repeated(picture: Image.Image, axes: Axes) -> Image.Image:
    """Twice on each axis that wraps, at most 2048 pixels long."""
    rows, columns = (1 + closed for closed in axes)
    sheet = Image.new(picture.mode, (picture.width * columns, picture.height * rows))
    for row in range(rows):
        for column in range(columns):
            sheet.paste(picture, (column * picture.width, row * picture.height))
    sheet.thumbnail((_LONGEST, _LONGEST), Image.Resampling.LANCZOS)
    return sheet
