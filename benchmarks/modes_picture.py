"""The pictures of docs/speed-and-quality.md: direct sampling, paper mode and fast mode from the same noise.

`python -m benchmarks.modes_picture` writes `docs/modes.png`, whole pictures, and `docs/modes-crops.png`, a piece of
each picture of the first scene, enlarged. To be made again when the shipped UNet or a mode has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from fouriscale import FouriScaleConfig
from fouriscale.demo import Shown, lay_out
from fouriscale.generate import generate
from fouriscale.loading import load_pipeline
from fouriscale.montage import side_by_side
from fouriscale_padtone.pictures import save
from shapeworld import check, sample_scenes

DOCS = Path(__file__).parents[1] / "docs"
METHODS: dict[str, dict[str, Any] | None] = {"direct": None, "paper": {}, "fast": {"mode": "fast"}}
_SEED = 4  # the demo's, of the scenes and of the noise; not chosen by its outcome
_SIZES = ((256, 256, 2), (256, 384, 1), (512, 512, 1))  # height, width, scenes
_CROP, _ENLARGED = 64, 4  # pixels a side, and times


def main() -> None:
    pipe = load_pipeline("shapeworld/unet")
    pipe.set_progress_bar_config(disable=True)
    rows: list[tuple[Shown, ...]] = []
    for height, width, count in _SIZES:
        for number, scene in enumerate(sample_scenes(count, _SEED, objects=1)):
            row = []
            for method, changes in METHODS.items():
                config = None if changes is None else FouriScaleConfig.preset("shapeworld", **changes)
                (made,) = generate(
                    pipe, scene.caption, height=height, width=width, seed=number, config=config
                )
                row.append(Shown(scene, method, made.image, check(made.image, scene)))
            rows.append(tuple(row))
    _save(lay_out(rows), "modes")
    _save(side_by_side([(shown.method, _crop(shown)) for shown in rows[0]]), "modes-crops")


def _crop(shown: Shown) -> Image.Image:
    """The piece around the middle of the upper edge of the largest object found."""
    top, left, _, right = shown.report.objects[0].box
    width, height = shown.image.size
    corner = round((left + right) / 2 * width) - _CROP // 2, round(top * height) - _CROP // 2
    x, y = (min(max(c, 0), side - _CROP) for c, side in zip(corner, (width, height), strict=True))
    piece = shown.image.crop((x, y, x + _CROP, y + _CROP))
    return piece.resize((_CROP * _ENLARGED,) * 2, Image.Resampling.NEAREST)


def _save(picture: Image.Image, name: str) -> None:
    save(picture.quantize(256, Image.Quantize.MAXCOVERAGE), DOCS / f"{name}.png", None, "fouriscale")
    print(f"wrote docs/{name}.png")


if __name__ == "__main__":
    main()
