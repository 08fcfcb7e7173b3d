"""The slider's animation."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import demo_pictures
from benchmarks.demo_pictures import LARGEST, slider, write_slider
from fouriscale.reports.demo import JudgedPicture
from shapeworld import check, sample_scenes


@pytest.fixture
def pair():
    """A scene as it should be, and another in its place."""
    scene, other = sample_scenes(2, seed=3, objects=1)
    images = other.render(96, 96), scene.render(96, 96)
    return tuple(
        JudgedPicture(scene, name, image, check(image, scene))
        for name, image in zip(("direct", "FouriScale"), images, strict=True)
    )


def test_it_uncovers_the_second_picture_and_covers_it_again(pair):
    frames = [np.asarray(frame) for frame in slider(pair, frames=8)]
    below = slice(40, 96)  # the labels stand above
    direct, other = (np.asarray(picture.image)[below] for picture in pair)
    assert (frames[0][below, 3:] == direct[:, 3:]).all()
    assert (frames[4][below, :-3] == other[:, :-3]).all()
    assert (frames[2][below, :45] == other[:, :45]).all(), "half way"
    assert (frames[2][below, 51:] == direct[:, 51:]).all()
    assert all((frames[i] == frames[8 - i]).all() for i in (1, 2, 3))


def test_it_runs_for_ever_and_is_small(pair, tmp_path, monkeypatch):
    write_slider(pair, tmp_path / "slider.webp")
    with Image.open(tmp_path / "slider.webp") as image:
        assert (image.is_animated, image.info["loop"]) == (True, 0)
    assert (tmp_path / "slider.webp").stat().st_size < LARGEST
    monkeypatch.setattr(demo_pictures, "LARGEST", 100)
    with pytest.raises(ValueError, match=r"slider.webp has \d+ bytes; 100 at most"):
        write_slider(pair, tmp_path / "slider.webp")
