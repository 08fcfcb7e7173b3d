"""A contact sheet: small pictures of a batch with their ids."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from .. import recipes
from ..reports.grid import beneath, beside, framed
from .manifest import of_status
from .stores import Store

SHEET = "sheet.png"
_MOST, _COLUMNS = 100, 10
_TILE, _LINE, _GAP = 128, 16, 6  # pixels


def write_sheet(store: Store) -> int:
    """Write the sheet of a store's pictures, evenly picked where there are too many; gives how many it shows."""
    done = sorted(of_status(store.record(), "done"), key=lambda entry: (entry.group or 0, entry.id))
    picked = [done[i * len(done) // min(len(done), _MOST)] for i in range(min(len(done), _MOST))]
    cells = [_cell(store.read(entry.file or ""), entry.id) for entry in picked]
    rows = [beside(cells[i : i + _COLUMNS], _GAP) for i in range(0, len(cells), _COLUMNS)]
    sheet = framed(beneath(rows, _GAP), _GAP)
    shown = {recipes.SHEET: "batch", "pictures": [entry.id for entry in picked]}
    store.write(SHEET, recipes.encoded(sheet, shown, recipes.CHUNKS[0]))
    return len(picked)


def _cell(content: bytes | None, name: str) -> Image.Image:
    """A picture, where there is one, above its job's id."""
    cell, font = Image.new("RGB", (_TILE, _TILE + _LINE), "white"), ImageFont.load_default(_LINE - 6)
    if content is not None:
        with Image.open(io.BytesIO(content)) as picture:
            small = picture.convert("RGB")
        small.thumbnail((_TILE, _TILE))
        cell.paste(small, (0, 0))
    ImageDraw.Draw(cell).text((0, _TILE + 2), _shortened(name, font), fill="black", font=font)
    return cell


def _shortened(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of an id's end as fits, which is where ids differ."""
    while font.getlength(name) > _TILE:
        name = name[1:]
    return name
