"""What is right of a scene, attribute by attribute."""

import dataclasses

import pytest

from shapeworld import check
from shapeworld.judge.attributes import attributes_correct
from shapeworld.scenes import Object, Scene

SQUARE = Object("square", "red", y=0.5, x=0.25, radius=0.15)
CIRCLE = Object("circle", "yellow", y=0.5, x=0.75, radius=0.15)
SCENE = Scene((SQUARE, CIRCLE), "blue", "left of")


def seen(scene):
    return attributes_correct(SCENE, check(scene.render(128, 128), SCENE))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, set()),
        ({"background": "white"}, {"background"}),
        ({"objects": (SQUARE, dataclasses.replace(CIRCLE, color="white"))}, {"colour", "relation"}),
        ({"objects": (SQUARE, dataclasses.replace(CIRCLE, shape="square"))}, {"shape"}),
        ({"objects": (SQUARE,)}, {"colour", "shape", "count", "relation"}),
        (
            {"objects": (dataclasses.replace(SQUARE, x=0.75), dataclasses.replace(CIRCLE, x=0.25))},
            {"relation"},
        ),
    ],
)
def test_each_attribute_by_itself(change, wrong):
    found = seen(dataclasses.replace(SCENE, **change))
    assert {name for name, right in found.items() if not right} == wrong


def test_one_object_has_no_relation():
    scene = Scene((SQUARE,), "blue")
    assert attributes_correct(scene, check(scene.render(128, 128), scene)) == dict.fromkeys(
        ("background", "colour", "shape", "count"), True
    )
