"""A sheet of a prompt's tokens, each coloured by its role."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from ..maths.roles import TokenRoles

ROLE_COLOURS = {
    "bos": "#c9d7f2",
    "prompt": "#b9e4b4",
    "eos": "#f2d7a6",
    "template": "#e0c9ee",
    "padding": "#e3e3e3",
}
_GAP = 8  # pixels between the sheet's parts
_LINE = 16  # pixels of a line of text


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
