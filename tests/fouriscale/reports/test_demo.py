"""The demo's sheet: what it shows large, and what it counts."""

import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from fouriscale.reports import demo as room
from fouriscale.reports.demo import JudgedPicture, lay_out, of_sizes, tally
from shapeworld import check, sample_scenes

SIZES = ((64, 64), (64, 96))  # height, width


@pytest.fixture(scope="module")
def pairs():
    """Two scenes of each size; the second method draws another scene than it should."""
    scenes = sample_scenes(3, seed=3, objects=1)
    found = []
    for size in SIZES:
        for scene, other in itertools.pairwise(scenes):
            images = scene.render(*size), other.render(*size)
            methods = zip(("direct", "FouriScale"), images, strict=True)
            found.append(tuple(JudgedPicture(scene, name, i, check(i, scene)) for name, i in methods))
    return found


def test_one_pair_of_each_size_is_large(pairs):
    """Of the first size the first scene, of the second the second."""
    sheet = lay_out(pairs)
    assert sheet.width == 800
    pixels = np.asarray(sheet)
    top = room._GAP
    for place, (height, width) in enumerate(SIZES):
        pair = pairs[2 * place + place]
        tall = round(room._WIDE * height / width)
        top += 2 * room._STRIP
        for column, picture in enumerate(pair):
            left = room._GAP + column * (room._WIDE + room._GAP)
            shown = pixels[top : top + tall, left : left + room._WIDE]
            assert (
                shown == np.asarray(picture.image.resize((room._WIDE, tall), Image.Resampling.LANCZOS))
            ).all()
        top += tall + 2 * room._GAP


def test_all_pairs_are_counted(pairs):
    lines = tally(of_sizes(pairs))
    assert lines == [
        "64 x 64, direct: 2 of 2 right",
        "64 x 64, FouriScale: 0 of 2 right, 2 wrong otherwise",
        "96 x 64, direct: 2 of 2 right",
        "96 x 64, FouriScale: 0 of 2 right, 2 wrong otherwise",
    ]
    report = dataclasses.replace(pairs[0][1].report, repeated=True)
    twice = (pairs[0][0], dataclasses.replace(pairs[0][1], report=report))
    assert tally(of_sizes([twice])) == [
        "64 x 64, direct: 1 of 1 right",
        "64 x 64, FouriScale: 0 of 1 right, 1 with objects repeated",
    ]
