"""The pictures of docs/speed-and-quality.md: direct sampling, paper mode and fast mode from the same noise.

`python -m benchmarks.studies.modes_picture` writes `docs/modes.png`, whole pictures, and `docs/modes-crops.png`, a
piece of each picture of the first scene, enlarged. To be made again when the shipped UNet or a mode has changed.

A study of 25 November 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from fouriscale.reports.demo import JudgedPicture, sample
from picturelab.recipes import save
from picturelab.reports.grid import beneath, beside, captioned, framed, labelled_row

from ..quality import PAPER

DOCS = Path(__file__).parents[2] / "docs"
METHODS: dict[str, dict[str, Any] | None] = {
    "direct": None,
    "paper": PAPER,
    "fast": {"mode": "fast"},
}
_SIZES = ((256, 256, 2), (256, 384, 1), (512, 512, 1))  # height, width, scenes
_GAP, _STRIP = 12, 26  # pixels between pictures, and above them for the label
_CROP, _ENLARGED = 64, 4  # pixels a side, and times


def main() -> None:
    rows = sample(_SIZES, METHODS)
    crops = labelled_row([(shown.method, _crop(shown)) for shown in rows[0]])
    for name, picture in {"modes": lay_out(rows), "modes-crops": crops}.items():
        save(picture, DOCS / f"{name}.png", None, "fouriscale")
        print(f"wrote docs/{name}.png")


def lay_out(scenes: Sequence[Sequence[JudgedPicture]]) -> Image.Image:
    """All pictures on white, as many scenes a row as there are of one size; each under its caption."""
    rows: dict[tuple[int, int], list[Image.Image]] = {}
    for pictures in scenes:
        rows.setdefault(pictures[0].image.size, []).append(_block(pictures))
    return framed(beneath([beside(row, _GAP) for row in rows.values()], _GAP), _GAP)


def _block(pictures: Sequence[JudgedPicture]) -> Image.Image:
    width, height = pictures[0].image.size
    row = [captioned(picture.image, picture.method, _STRIP, 14, colour="dimgray") for picture in pictures]
    return captioned(beside(row, 4), f"{pictures[0].scene.caption}, {width} x {height}", _STRIP, 14)


def _crop(shown: JudgedPicture) -> Image.Image:
    """The piece around the middle of the upper edge of the largest object found, or the picture's middle."""
    found = shown.report.objects
    top, left, _, right = found[0].box if found else (0.5, 0.5, 0.5, 0.5)
    width, height = shown.image.size
    corner = round((left + right) / 2 * width) - _CROP // 2, round(top * height) - _CROP // 2
    x, y = (min(max(c, 0), side - _CROP) for c, side in zip(corner, (width, height), strict=True))
    piece = shown.image.crop((x, y, x + _CROP, y + _CROP))
    return piece.resize((_CROP * _ENLARGED,) * 2, Image.Resampling.NEAREST)


if __name__ == "__main__":
    main()
