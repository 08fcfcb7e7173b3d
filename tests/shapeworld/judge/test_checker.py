"""The checker on pictures whose truth is known: right ones, worn ones and wrong ones."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from shapeworld import Object, Scene, check, sample_scenes
from shapeworld.scenes import COLORS, RELATIONS, SHAPES

SIZES = [(64, 64), (128, 128), (256, 256), (512, 512), (256, 384), (384, 256)]
CIRCLE = Object("circle", "red", 0.4, 0.3, 0.2)
SQUARE = Object("square", "yellow", 0.4, 0.8, 0.15)
ALONE = Scene((CIRCLE,), "blue")
PAIR = Scene((CIRCLE, SQUARE), "blue", "left of")


def worn(image: Image.Image, seed: int) -> Image.Image:
    """Slightly blurred, then noisy by 6 of 255, then through a strong JPEG that halves the colours' detail."""
    image = image.filter(ImageFilter.GaussianBlur(1))
    noise = np.random.default_rng(seed).normal(0, 6, (image.height, image.width, 3))
    image = Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file).convert("RGB")


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_truth_is_right_at_every_size(height, width):
    for scene in sample_scenes(60, seed=21):
        report = check(scene.render(height, width), scene)
        assert report.correct, (scene.caption, report)
        assert not report.repeated
        assert report.objects_found == len(scene.objects)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("color", COLORS)
def test_every_color_on_every_background(shape, color):
    for background in set(COLORS) - {color}:
        scene = Scene((Object(shape, color, 0.5, 0.5, 0.14),), background)
        assert check(scene.render(64, 64), scene).correct, (shape, color, background)


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width"), [(128, 128), (256, 256), (384, 256)])
def test_blur_noise_and_jpeg_do_not_mislead(height, width):
    for i, scene in enumerate(sample_scenes(60, seed=22)):
        report = check(worn(scene.render(height, width), i), scene)
        assert report.correct, (scene.caption, report)


def changed(scene: Scene, index: int, **values: object) -> Scene:
    objects = list(scene.objects)
    objects[index] = dataclasses.replace(objects[index], **values)
    return dataclasses.replace(scene, objects=tuple(objects))


def with_object(scene: Scene, item: Object) -> Scene:
    return dataclasses.replace(scene, objects=(*scene.objects, item))


def cut_in_two(scene: Scene, size: int) -> Image.Image:
    """The picture with a bar of background, a sixteenth of it wide, down through the first object."""
    image, middle = scene.render(size, size), round(scene.objects[0].x * size)
    half = size // 32
    image.paste(COLORS[scene.background], (middle - half, 0, middle + half, size))
    return image


WRONG: dict[str, tuple[Scene, Callable[[int], Image.Image], bool]] = {
    # name: the scene asked for, the picture given (by size), whether that counts as repeated
    name: (scene, draw if callable(draw) else (lambda size, shown=draw: shown.render(size, size)), repeated)
    for name, scene, draw, repeated in [
        ("another copy", ALONE, with_object(ALONE, Object("circle", "red", 0.8, 0.8, 0.13)), True),
        ("another object", ALONE, with_object(ALONE, Object("triangle", "green", 0.8, 0.8, 0.13)), True),
        ("a fragment", ALONE, with_object(ALONE, Object("square", "red", 0.8, 0.8, 0.05)), True),
        ("a third object", PAIR, with_object(PAIR, Object("circle", "red", 0.85, 0.5, 0.13)), True),
        ("two halves", ALONE, lambda size: cut_in_two(ALONE, size), True),
        ("another color", ALONE, changed(ALONE, 0, color="purple"), False),
        ("another shape", ALONE, changed(ALONE, 0, shape="square"), False),
        ("another background", ALONE, dataclasses.replace(ALONE, background="cyan"), False),
        ("empty", ALONE, Scene((), "blue"), False),
        ("empty for two", PAIR, Scene((), "blue"), False),
        ("one missing", PAIR, ALONE, False),
        ("another color for one of two", PAIR, changed(PAIR, 1, color="green"), False),
        ("another shape for one of two", PAIR, changed(PAIR, 0, shape="triangle"), False),
        (
            "colors swapped",
            PAIR,
            changed(changed(PAIR, 0, color="yellow"), 1, color="red"),
            False,
        ),
        ("places swapped", PAIR, changed(changed(PAIR, 0, x=0.8), 1, x=0.3), False),
    ]
}


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_pictures_are_judged_wrong(name, size):
    scene, draw, repeated = WRONG[name]
    assert check(scene.render(size, size), scene).correct
    report = check(draw(size), scene)
    assert not report.correct
    assert report.repeated is repeated


def meaning(scene: Scene) -> tuple:
    """What a scene asks for, however it is said: 'a left of b' is 'b right of a'."""
    described = [(item.color, item.shape) for item in scene.objects]
    relation = scene.relation
    if relation in ("right of", "below"):
        described, relation = described[::-1], {"right of": "left of", "below": "above"}[relation]
    return scene.background, relation, tuple(described)


@pytest.mark.slow
def test_a_picture_is_right_for_its_own_scene_and_no_other():
    # Few colours, so that scenes are alike; each picture is judged against many other scenes.
    scenes = [Scene((Object("circle", a, 0.5, 0.5, 0.2),), "black") for a in ("red", "green")] + [
        Scene(
            (Object(shape, "red", *first, 0.15), Object("square", "green", *second, 0.15)), "black", relation
        )
        for shape in ("circle", "square")
        for relation, first, second in [
            ("left of", (0.5, 0.25), (0.5, 0.75)),
            ("right of", (0.5, 0.75), (0.5, 0.25)),
            ("above", (0.25, 0.5), (0.75, 0.5)),
            ("below", (0.75, 0.5), (0.25, 0.5)),
        ]
    ]
    assert {scene.relation for scene in scenes} == {*RELATIONS, None}
    for shown in scenes:
        image = shown.render(96, 96)
        assert [check(image, asked).correct for asked in scenes] == [asked is shown for asked in scenes]


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_same_said_the_other_way_round(relation):
    scene = next(s for s in sample_scenes(99, seed=4, objects=2) if s.relation == relation)
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}[relation]
    reversed_ = Scene(scene.objects[::-1], scene.background, opposite)
    image = scene.render(128, 128)
    assert check(image, reversed_).correct
    assert not check(image, dataclasses.replace(reversed_, relation=relation)).correct


def test_what_was_found_can_be_drawn():
    square, circle = Object("square", "white", 0.25, 0.7, 0.2), Object("circle", "red", 0.75, 0.2, 0.15)
    report = check(Scene((square, circle), "green", "above").render(256, 384), ALONE)
    first, second = report.objects
    assert (first.shape, first.color, second.shape, second.color) == ("square", "white", "circle", "red")
    assert report.background == "green"
    # Half the square's side is 0.88 x 0.2 x 256 = 45.1 pixels of 256 down and of 384 across.
    down, across = 45.1 / 256, 45.1 / 384
    assert first.box == pytest.approx((0.25 - down, 0.7 - across, 0.25 + down, 0.7 + across), abs=0.01)
    assert (first.y, first.x) == pytest.approx((0.25, 0.7), abs=0.01)
    assert first.area == pytest.approx(90.1**2 / (256 * 384), rel=0.03)
    assert second.area == pytest.approx(np.pi * (0.15 * 256) ** 2 / (256 * 384), rel=0.03)


def ink(mask: Callable[[np.ndarray, np.ndarray], np.ndarray], size: int = 192) -> Image.Image:
    """Red on blue wherever mask(y, x) is true; y and x in [0, 1]."""
    y, x = (np.arange(size)[:, None] + 0.5) / size, (np.arange(size)[None, :] + 0.5) / size
    red = np.array(COLORS["red"], np.uint8), np.array(COLORS["blue"], np.uint8)
    return Image.fromarray(np.where(mask(y, x)[..., None], *red))


@pytest.mark.parametrize(
    ("mask", "shape"),
    [
        (lambda y, x: np.hypot((y - 0.5) / 1.1, x - 0.5) < 0.2, "circle"),  # hardly oval
        (lambda y, x: np.hypot((y - 0.5) / 1.5, x - 0.5) < 0.2, "unknown"),  # clearly oval
        (lambda y, x: (abs(y - 0.5) < 0.1) & (abs(x - 0.5) < 0.2), "unknown"),  # twice as wide as high
        (lambda y, x: (abs(y - 0.5) < 0.2) & (abs(x - 0.5) < 0.5 * (y - 0.3)), "triangle"),
        (lambda y, x: (abs(y - 0.5) < 0.25) & (abs(x - 0.5) < 0.42 * (y - 0.25)), "triangle"),  # narrow
        (lambda y, x: (abs(y - 0.5) < 0.2) & (abs(x - 0.5) < 0.5 * (0.7 - y)), "unknown"),  # on its tip
        (lambda y, x: (y < 0.7) & (x > 0.3) & (x - 0.3 < y - 0.3), "unknown"),  # a right angle
        (lambda y, x: (abs(y - 0.5) < 0.2) & (abs(x - 0.5) < 0.1 + 0.25 * (y - 0.3)), "unknown"),  # a wedge
        (lambda y, x: abs(y - 0.5) + abs(x - 0.5) < 0.25, "unknown"),  # a diamond
        (lambda y, x: (np.hypot(y - 0.5, x - 0.5) < 0.25) & (y < 0.5), "unknown"),  # half a circle
        (lambda y, x: abs(np.hypot(y - 0.5, x - 0.5) - 0.2) < 0.05, "unknown"),  # a ring
        (
            lambda y, x: (abs(y - 0.5) < 0.2) & (abs(x - 0.5) < 0.2) & ~((y < 0.45) & (x > 0.55)),
            "unknown",
        ),  # an L
        (lambda y, x: np.hypot(y - 0.5, x - 0.02) < 0.2, "unknown"),  # half out of the picture
        (lambda y, x: np.hypot(y - 0.5, x - 0.19) < 0.2, "circle"),  # hardly out of it
    ],
)
def test_shapes_by_name(mask, shape):
    assert [item.shape for item in check(ink(mask), ALONE).objects] == [shape]


def test_specks_and_hair_lines_do_not_count():
    image = ALONE.render(256, 256)
    image.paste(COLORS["yellow"], (200, 200, 212, 212))  # a twelfth of the smallest object
    image.paste(COLORS["white"], (0, 150, 256, 153))
    assert check(image, ALONE).correct


def test_a_stain_is_no_object_but_spoils_the_shape():
    image = ALONE.render(256, 256)
    middle = (round(0.3 * 256), round(0.4 * 256))
    image.paste(COLORS["green"], (middle[0] - 20, middle[1] - 20, middle[0] + 20, middle[1] + 20))
    report = check(image, ALONE)
    assert [(item.color, item.shape) for item in report.objects] == [("red", "unknown")]
    assert not report.repeated
    assert not report.correct


def test_objects_that_touch_are_two():
    touching = (Object("square", "red", 0.5, 0.35, 0.17), Object("square", "white", 0.5, 0.65, 0.17))
    scene = Scene(touching, "black", "left of")
    assert check(scene.render(256, 256), scene).correct


def test_noise_alone_is_no_scene():
    pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert not check(Image.fromarray(pixels), ALONE).correct


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_other_kinds_of_pictures_are_read_too(mode):
    assert check(ALONE.render(128, 128).convert(mode), ALONE).correct


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match=r"^the image has width 200, height 63; both must be 64 or more$"):
        check(ALONE.render(63, 200), ALONE)


def test_something_else_than_a_picture_is_refused():
    with pytest.raises(TypeError, match=r"^image is a ndarray; a PIL image is needed$"):
        check(ALONE.pixels(64, 64), ALONE)
