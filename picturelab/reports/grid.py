"""Pictures in rows and columns under their labels, on white."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

_GAP = 8  # pixels between pictures
_LINE = 16  # pixels of a line of text
_STRIP = 28  # pixels above the pictures of a row, for their labels


def labelled_grid(
    images: Mapping[str, Sequence[Image.Image]], rows: Sequence[str], title: str = "", tile: int | None = None
) -> Image.Image:
    """One labelled column an entry, one labelled row a picture of each.

    Args:
        images: {column's label: [image per row]}, all of one size.
        rows: what to write beside each row.
        title: written on top, wrapped.
        tile: longer side of a picture in the grid, pixels; smaller pictures are enlarged without blur.
            None: their own, but from 128 to 256.

    Raises:
        ValueError: a column has not one image per row.
    """
    wrong = {label: len(column) for label, column in images.items() if len(column) != len(rows)}
    if wrong or not images:
        raise ValueError(f"a grid needs {len(rows)} images in every arm, got {wrong or 'no arm'}")
    first = next(iter(images.values()))[0]
    scale = (tile or min(max(*first.size, 128), 256)) / max(first.size)
    width, height = (max(1, round(side * scale)) for side in first.size)
    resample = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    font = ImageFont.load_default(_LINE - 4)
    margin = _GAP + max((round(font.getlength(text)) for text in rows), default=0) + _GAP
    total = margin + len(images) * (width + _GAP)
    lines = textwrap.wrap(title, max(16, total // 7))
    top = _GAP + _LINE * (len(lines) + 1)
    sheet = Image.new("RGB", (total, top + len(rows) * (height + _GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, line in enumerate(lines):
        draw.text((_GAP, _GAP + i * _LINE), line, fill="black", font=font)
    for i, text in enumerate(rows):
        draw.text((_GAP, top + i * (height + _GAP) + height // 2), text, fill="black", font=font)
    for i, (label, column) in enumerate(images.items()):
        left = margin + i * (width + _GAP)
        draw.text((left, top - _LINE), label, fill="black", font=font)
        tiles = [picture.convert("RGB").resize((width, height), resample) for picture in column]
        sheet.paste(beneath(tiles, _GAP), (left, top))
    return sheet


def labelled_row(pictures: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """One row of pictures as they are, each under its label."""
    return beside([captioned(image, label, _STRIP, 16, left=4) for label, image in pictures], _GAP)


def captioned(
    picture: Image.Image, text: str, strip: int, size: int, *, left: int = 0, colour: str = "black"
) -> Image.Image:
    """A picture under a strip of text, which is cut off where the picture ends.

    Args:
        strip: its height, pixels.
        size: of the font.
        left: pixels before the text.
    """
    block = Image.new("RGB", (picture.width, picture.height + strip), "white")
    font = ImageFont.load_default(size)
    ImageDraw.Draw(block).text((left, strip // 2), text, fill=colour, font=font, anchor="lm")
    block.paste(picture, (0, strip))
    return block


def beside(pictures: Sequence[Image.Image], gap: int) -> Image.Image:
    """A row of pictures, aligned at the top, so many pixels apart."""
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    row, left = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white"), 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def beneath(pictures: Sequence[Image.Image], gap: int) -> Image.Image:
    """A column of pictures, aligned at the left, so many pixels apart."""
    height = sum(picture.height for picture in pictures) + gap * (len(pictures) - 1)
    column, top = Image.new("RGB", (max(picture.width for picture in pictures), height), "white"), 0
    for picture in pictures:
        column.paste(picture, (0, top))
        top += picture.height + gap
    return column


def framed(picture: Image.Image, pixels: int) -> Image.Image:
    """A picture with white around it."""
    return ImageOps.expand(picture, pixels, "white")
