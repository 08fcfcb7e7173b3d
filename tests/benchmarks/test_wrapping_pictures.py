"""The pictures of docs/wrap.md, put together by hand."""

import numpy as np
from PIL import Image

from benchmarks.wrapping_pictures import DOCS, rolled, tiled


def test_a_tile_and_a_panorama():
    pixels = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    picture = Image.fromarray(pixels)
    again = np.asarray(tiled(picture, 3))
    assert again.shape == (6, 12, 3)
    assert (again[2:4, 4:8] == pixels).all()
    assert (np.asarray(rolled(picture)) == pixels[:, [2, 3, 0, 1]]).all()


def test_what_the_page_shows():
    with Image.open(DOCS / "wrap-tile.png") as tile, Image.open(DOCS / "wrap-panorama.png") as panorama:
        tiles = np.asarray(tile)
        assert (tiles == np.asarray(tiled(tile.crop((0, 0, 128, 128)), 3))).all()
        assert panorama.width == 512
    for name in ("wrap-tile", "wrap-panorama"):
        assert (DOCS / f"{name}.png").stat().st_size < 200_000
