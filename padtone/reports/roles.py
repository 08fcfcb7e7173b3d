"""A sheet of a prompt's tokens, each coloured by its role or by how much its row changes with the prompt's words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageColor, ImageDraw, ImageFont

from ..maths.roles import TokenRoles

ROLE_COLOURS = {
    "bos": "#c9d7f2",
    "prompt": "#b9e4b4",
    "eos": "#f2d7a6",
    "template": "#e0c9ee",
    "padding": "#e3e3e3",
}
_CARRY = "#2563a8"
CARRY_LEGEND = "change of the row where one word is replaced; 1: as another prompt"
_DEEPEST = 0.7  # of the colour's strength, so that black letters stay readable
_GAP = 8  # pixels between the sheet's parts
_LINE = 16  # pixels of a line of text


def roles_sheet(
    entries: Sequence[TokenRoles],
    title: str = "",
    columns: int = 12,
    carry: Mapping[str, Sequence[float]] | None = None,
) -> Image.Image:
    """Every token of every encoder in a cell, coloured by its role; a legend below.

    Args:
        entries: from `padtone.token_roles`.
        title: written on top.
        columns: cells in a row.
        carry: colour by the change of each row where one word is replaced, {encoder: one a token}, see
            `RowChanges.of_rows`; encoders that are not in it, and nan, stay white. None: by role.
    """
    font = ImageFont.load_default(_LINE - 4)
    width, height = 88, 2 * _LINE + _GAP // 2
    deep = sum(_LINE + -(-len(entry.roles) // columns) * (height + 2) + _GAP for entry in entries)
    size = (2 * _GAP + columns * (width + 2), 2 * _GAP + 2 * _LINE + deep + _LINE)
    sheet = Image.new("RGB", size, "white")
    draw, top = ImageDraw.Draw(sheet), _GAP
    draw.text((_GAP, top), _fitted(title, font, size[0] - 2 * _GAP), fill="black", font=font)
    top += _LINE + _GAP
    for entry in entries:
        draw.text((_GAP, top), f"{entry.name}: {len(entry.ids)} tokens", fill="black", font=font)
        top += _LINE
        for i, (token, role) in enumerate(zip(entry.tokens, entry.roles, strict=True)):
            left, above = _GAP + i % columns * (width + 2), top + i // columns * (height + 2)
            changes = None if carry is None else carry.get(entry.name)
            change = math.nan if changes is None else changes[i]
            colour = ROLE_COLOURS[role] if carry is None else carry_colour(change)
            draw.rectangle((left, above, left + width - 1, above + height - 1), fill=colour)
            draw.text((left + 4, above + 2), _fitted(token, font, width - 8), fill="black", font=font)
            place = f"{i}" if math.isnan(change) else f"{i}: {change:.2f}"
            draw.text((left + 4, above + 2 + _LINE), place, fill="dimgray", font=font)
        top += -(-len(entry.roles) // columns) * (height + 2) + _GAP
    _draw_legend(draw, top, font, by_role=carry is None)
    return sheet


def carry_colour(change: float) -> str:
    """From white, no change, to blue, as much as another prompt or more."""
    share = 0.0 if math.isnan(change) else _DEEPEST * min(change, 1.0)
    channels = (round(255 + share * (channel - 255)) for channel in ImageColor.getrgb(_CARRY)[:3])
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _draw_legend(
    draw: ImageDraw.ImageDraw, top: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, by_role: bool
) -> None:
    colours = (
        ROLE_COLOURS if by_role else {f"{step:g}": carry_colour(step) for step in (0, 0.25, 0.5, 0.75, 1)}
    )
    left, width = _GAP, 88 if by_role else 56
    for words, colour in colours.items():
        outline = None if by_role else ROLE_COLOURS["padding"]  # white on white has no edge
        draw.rectangle((left, top, left + _LINE - 2, top + _LINE - 2), fill=colour, outline=outline)
        draw.text((left + _LINE + 2, top), words, fill="black", font=font)
        left += width
    if not by_role:
        draw.text((left, top), CARRY_LEGEND, fill="black", font=font)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """As much of a token as fits."""
    text = text.encode("ascii", "replace").decode()  # the font that comes with Pillow knows no more
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
