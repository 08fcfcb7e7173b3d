"""Pictures of tokens and their roles, and image grids labelled by arm."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from ..maths.roles import TokenRoles

ROLE_COLOURS = {
    "bos": "#c9d7f2",
    "prompt": "#b9e4b4",
    "eos": "#f2d7a6",
    "template": "#e0c9ee",
    "padding": "#e3e3e3",
}
_GAP = 8  # pixels between pictures
_LINE = 16  # pixels of a line of text


def labelled_grid(
    images: Mapping[str, Sequence[Image.Image]], rows: Sequence[str], title: str = "", tile: int | None = None
) -> Image.Image:
    """One column an arm, one row a seed.

    Args:
        images: {arm: [image per row]}, all of one size.
        rows: what to write beside each row.
        title: written on top, wrapped.
        tile: longer side of a picture in the grid, pixels; smaller pictures are enlarged without blur.
            None: their own, but from 128 to 256.

    Raises:
        ValueError: an arm has not one image per row.
    """
    wrong = {arm: len(column) for arm, column in images.items() if len(column) != len(rows)}
    if wrong or not images:
        raise ValueError(f"a grid needs {len(rows)} images in every arm, got {wrong or 'no arm'}")
    first = next(iter(images.values()))[0]
    scale = (tile or min(max(*first.size, 128), 256)) / max(first.size)
    width, height = (max(1, round(side * scale)) for side in first.size)
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
    resample = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS
    for column, (arm, made) in enumerate(images.items()):
        left = margin + column * (width + _GAP)
        draw.text((left, top - _LINE), arm, fill="black", font=font)
        for row, picture in enumerate(made):
            sheet.paste(
                picture.convert("RGB").resize((width, height), resample), (left, top + row * (height + _GAP))
            )
    return sheet


def roles_sheet(entries: Sequence[TokenRoles], title: str = "", columns: int = 12) -> Image.Image:
    """Every token of every encoder in a cell, coloured by its role; a legend below.

    Args:
        entries: from `padtone.token_roles`.
        title: written on top.
        columns: cells in a row.
    """
    font = ImageFont.load_default(_LINE - 4)
    width, height = 88, 2 * _LINE + _GAP // 2
    deep = sum(_LINE + -(-len(entry.roles) // columns) * (height + 2) + _GAP for entry in entries)
    size = (2 * _GAP + columns * (width + 2), 2 * _GAP + 2 * _LINE + deep + _LINE)
    sheet = Image.new("RGB", size, "white")
    draw, top = ImageDraw.Draw(sheet), _GAP
    draw.text((_GAP, top), title, fill="black", font=font)
    top += _LINE + _GAP
    for entry in entries:
        draw.text((_GAP, top), f"{entry.name}: {len(entry.ids)} tokens", fill="black", font=font)
        top += _LINE
        for i, (token, role) in enumerate(zip(entry.tokens, entry.roles, strict=True)):
            left, above = _GAP + i % columns * (width + 2), top + i // columns * (height + 2)
            draw.rectangle((left, above, left + width - 1, above + height - 1), fill=ROLE_COLOURS[role])
            draw.text((left + 4, above + 2), _fitted(token, font, width - 8), fill="black", font=font)
            draw.text((left + 4, above + 2 + _LINE), f"{i}", fill="dimgray", font=font)
        top += -(-len(entry.roles) // columns) * (height + 2) + _GAP
    left = _GAP
    for role, colour in ROLE_COLOURS.items():
        draw.rectangle((left, top, left + _LINE - 2, top + _LINE - 2), fill=colour)
        draw.text((left + _LINE + 2, top), role, fill="black", font=font)
        left += 88
    return sheet


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """As much of a token as fits."""
    text = text.encode("ascii", "replace").decode()  # the font that comes with Pillow knows no more
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
