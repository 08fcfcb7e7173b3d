"""The pictures of docs/wrap.md: a tile shown 3 x 3, and a panorama as it is made and rolled by half.

`python -m benchmarks.wrapping_pictures` makes both as the commands on that page do, sees that the checker finds them
right, and writes `docs/wrap-tile.png` and `docs/wrap-panorama.png`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from picturelab.recipes import save
from picturelab.reports.grid import beneath

DOCS = Path(__file__).parents[1] / "docs"
TILE = {"height": 128, "width": 128, "seed": 1}
PANORAMA = {"height": 128, "width": 512, "seed": 0}


def main() -> None:
    save(tiled(_picture("both", TILE), 3), DOCS / "wrap-tile.png", None, "fouriscale")
    panorama = _picture("width", PANORAMA)
    save(beneath([panorama, rolled(panorama)], 8), DOCS / "wrap-panorama.png", None, "fouriscale")


def tiled(tile: Image.Image, times: int) -> Image.Image:
    """A tile so many times on each axis."""
    return Image.fromarray(np.tile(np.asarray(tile), (times, times, 1)))


def rolled(picture: Image.Image) -> Image.Image:
    """A picture whose ends meet in its middle."""
    return Image.fromarray(np.roll(np.asarray(picture), picture.width // 2, axis=1))


def _picture(wrap: str, size: dict[str, int]) -> Image.Image:
    from fouriscale import FouriScaleConfig
    from fouriscale.sampling.generate import generate
    from shapeworld import Object, Scene, check

    from .quality import pipeline

    scene = Scene((Object("circle", "red", 0.5, 0.5, 0.25, "large"),), "blue")
    config = FouriScaleConfig.preset("shapeworld", wrap=wrap)
    (picture,) = generate(pipeline(), scene.caption, config=config, **size)
    report = check(picture.image, scene, wrap=wrap)
    if not report.correct:
        raise SystemExit(f"the checker finds the picture that wraps in {wrap} wrong: {report}")
    return picture.image


if __name__ == "__main__":
    main()
