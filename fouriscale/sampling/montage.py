"""Pictures side by side under their labels."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_GAP = 8  # pixels between pictures
_STRIP = 28  # pixels above them, for the label


def side_by_side(pictures: Sequence[tuple[str, Image.Image]]) -> Image.Image:
    """One row of pictures, each under its label, on white."""
    height = max(image.height for _, image in pictures)
    width = sum(image.width for _, image in pictures) + _GAP * (len(pictures) - 1)
    row = Image.new("RGB", (width, height + _STRIP), "white")
    draw, font, left = ImageDraw.Draw(row), ImageFont.load_default(16), 0
    for label, image in pictures:
        draw.text((left + 4, _STRIP // 2), label, fill="black", font=font, anchor="lm")
        row.paste(image, (left, _STRIP))
        left += image.width + _GAP
    return row
