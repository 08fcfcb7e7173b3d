"""A contact sheet: small pictures of a batch with their ids."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from .manifest import of_status
from .stores import Store

SHEET = "sheet.png"
_MOST, _COLUMNS = 100, 10
_TILE, _LINE, _GAP = 128, 16, 6  # pixels


def write_sheet(store: Store) -> int:
    """Write the sheet of a store's pictures, evenly picked where there are too many; gives how many it shows."""
    done = sorted(of_status(store.record(), "done"), key=lambda entry: (entry.group or 0, entry.id))
    picked = [done[i * len(done) // min(len(done), _MOST)] for i in range(min(len(done), _MOST))]
    rows = -(-len(picked) // _COLUMNS)
    columns = min(len(picked), _COLUMNS)
    side = (columns * (_TILE + _GAP) + _GAP, rows * (_TILE + _LINE + _GAP) + _GAP)
    sheet = Image.new("RGB", side, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_LINE - 6)
    for place, entry in enumerate(picked):
        left = _GAP + place % _COLUMNS * (_TILE + _GAP)
        top = _GAP + place // _COLUMNS * (_TILE + _LINE + _GAP)
        content = store.read(entry.file or "")
        if content is not None:
            with Image.open(io.BytesIO(content)) as picture:
                small = picture.convert("RGB")
            small.thumbnail((_TILE, _TILE))
            sheet.paste(small, (left, top))
        draw.text((left, top + _TILE + 2), _shortened(entry.id, font), fill="black", font=font)
    drawn = io.BytesIO()
    sheet.save(drawn, format="PNG")
    store.write(SHEET, drawn.getvalue())
    return len(picked)


def _shortened(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of an id's end as fits, which is where ids differ."""
    while font.getlength(name) > _TILE:
        name = name[1:]
    return name
