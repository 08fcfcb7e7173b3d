"""Image grids labelled by arm, and pictures that carry the recipe they were made by."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

RECIPE = "padtone"
_GAP = 8  # pixels between pictures
_LINE = 16  # pixels of a line of text


def labelled_grid(
    images: Mapping[str, Sequence[Image.Image]], rows: Sequence[str], title: str = "", tile: int = 256
) -> Image.Image:
    """One column an arm, one row a seed.

    Args:
        images: {arm: [image per row]}, all of one size.
        rows: what to write beside each row.
        title: written on top, wrapped.
        tile: longer side of a picture in the grid, pixels; smaller pictures are enlarged without blur.

    Raises:
        ValueError: an arm has not one image per row.
    """
    wrong = {arm: len(column) for arm, column in images.items() if len(column) != len(rows)}
    if wrong or not images:
        raise ValueError(f"a grid needs {len(rows)} images in every arm, got {wrong or 'no arm'}")
    first = next(iter(images.values()))[0]
    scale = tile / max(first.size)
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
    for column, (arm, pictures) in enumerate(images.items()):
        left = margin + column * (width + _GAP)
        draw.text((left, top - _LINE), arm, fill="black", font=font)
        for row, picture in enumerate(pictures):
            sheet.paste(
                picture.convert("RGB").resize((width, height), resample), (left, top + row * (height + _GAP))
            )
    return sheet


def save_with_recipe(image: Image.Image, path: Path, recipe: dict) -> None:
    """Write a PNG that carries how it was made."""
    info = PngImagePlugin.PngInfo()
    info.add_text(RECIPE, json.dumps(recipe, sort_keys=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, format="PNG", pnginfo=info)


def read_recipe(path: Path) -> dict:
    """The recipe of a picture.

    Raises:
        ValueError: it carries none.
    """
    with Image.open(path) as image:
        text = image.info.get(RECIPE)
    if text is None:
        raise ValueError(f"{path} carries no padtone recipe; only PNGs written by padtone do")
    return json.loads(text)
