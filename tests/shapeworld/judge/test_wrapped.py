"""Pictures that wrap, judged: rolled truth is right wherever the edge cuts it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from shapeworld import Object, Scene, check, sample_scenes
from shapeworld.judge import checker

CIRCLE = Object("circle", "red", 0.5, 0.5, 0.2)
ALONE = Scene((CIRCLE,), "blue")
PAIR = Scene((CIRCLE, Object("square", "yellow", 0.5, 0.9, 0.15)), "blue", "left of")


def rolled(scene, down, right, size=(128, 128)):
    return Image.fromarray(np.roll(scene.pixels(*size), (down, right), (0, 1)))


def test_a_shape_across_the_edge_is_one():
    picture = rolled(ALONE, 0, 64)
    assert checker.check(picture, ALONE).repeated
    report = check(picture, ALONE, wrap="width")
    assert (report.correct, report.repeated) == (True, False)
    (circle,) = report.objects
    assert circle.x == pytest.approx(0, abs=0.02) or circle.x == pytest.approx(1, abs=0.02)
    assert circle.y == pytest.approx(0.5, abs=0.02)
    assert circle.box == pytest.approx((0.3, 0.8, 0.7, 1.2), abs=0.02)  # ends beyond the edge
    assert not check(picture, ALONE, wrap="height").correct
    corner = rolled(ALONE, 64, 64)
    assert checker.check(corner, ALONE).objects_found == 4
    assert check(corner, ALONE, wrap="both").correct
    assert not check(corner, ALONE, wrap="width").correct


@pytest.mark.parametrize(("wrap", "shift"), [("width", (0, 1)), ("height", (1, 0)), ("both", (1, 1))])
def test_the_truth_is_right_however_it_is_rolled(wrap, shift):
    for number, scene in enumerate(sample_scenes(10, seed=4)):
        down, right = (19 * number * part for part in shift)
        report = check(rolled(scene, down, right, (128, 192)), scene, wrap=wrap)
        assert report.correct, (scene.caption, report)
        assert not report.repeated


def test_nothing_lies_left_of_anything_on_a_wrapped_axis():
    swapped = dataclasses.replace(PAIR, relation="right of")
    picture = rolled(PAIR, 0, 0)
    assert not check(picture, swapped).correct
    assert not check(picture, swapped, wrap="height").correct
    assert check(picture, swapped, wrap="width").correct
    assert not check(picture, dataclasses.replace(PAIR, relation="above"), wrap="width").correct


def test_wrong_pictures_stay_wrong():
    twice = Scene((CIRCLE, dataclasses.replace(CIRCLE, x=0.05, radius=0.15)), "blue")
    report = check(rolled(twice, 0, 40), ALONE, wrap="width")
    assert (report.correct, report.repeated, report.objects_found) == (False, True, 2)
    assert not check(rolled(ALONE, 0, 64), Scene((CIRCLE,), "green"), wrap="width").correct


def test_by_default_it_is_the_plain_checker():
    for scene in [*sample_scenes(3, seed=8), ALONE]:
        picture = rolled(scene, 30, 64)
        assert check(picture, scene) == check(picture, scene, wrap="none") == checker.check(picture, scene)


def test_a_band_and_an_empty_picture_can_be_judged():
    band = np.zeros((128, 128, 3), np.uint8) + np.array([40, 80, 220], np.uint8)
    assert check(Image.fromarray(band), ALONE, wrap="both").objects_found == 0
    band[40:90] = (220, 40, 40)
    assert check(Image.fromarray(band), ALONE, wrap="width").objects_found == 1


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="wrap='sideways': must be one of none, width, height, both"):
        check(rolled(ALONE, 0, 0), ALONE, wrap="sideways")
    with pytest.raises(TypeError, match="a PIL image is needed"):
        check("picture.png", ALONE, wrap="width")
    with pytest.raises(ValueError, match="both must be 64 or more"):
        check(rolled(ALONE, 0, 0, (32, 128)), ALONE, wrap="width")
