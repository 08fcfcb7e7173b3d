"""Scenes, captions and rendering, against values worked out by hand."""

import math
import subprocess
import sys

import numpy as np
import pytest

import shapeworld
from shapeworld import Object, Scene, models, sample_scenes
from shapeworld.captions import unknown_words, words
from shapeworld.scenes import COLORS, RELATIONS, SHAPES

MANY = sample_scenes(300, seed=1)


def one(shape: str, radius: float = 0.25, y: float = 0.5, x: float = 0.5) -> Scene:
    return Scene((Object(shape, "red", y, x, radius),), "blue")


def coverage(scene: Scene, height: int, width: int) -> np.ndarray:
    """How much of each pixel the scene's one red object covers, read from the red channel."""
    red = scene.pixels(height, width)[..., 0].astype(float)
    return (red - COLORS["blue"][0]) / (COLORS["red"][0] - COLORS["blue"][0])


def test_scene_i_depends_on_seed_and_i_only():
    assert sample_scenes(3, seed=5) == sample_scenes(50, seed=5)[:3]
    assert sample_scenes(3, seed=5, objects=2) == sample_scenes(50, seed=5, objects=2)[:3]
    assert sample_scenes(20, seed=5) != sample_scenes(20, seed=6)


def test_scenes_stay_the_ones_that_figures_were_measured_with():
    single, pair = sample_scenes(1, seed=7, objects=1)[0], sample_scenes(1, seed=7, objects=2)[0]
    assert single.caption == "a large blue triangle on a yellow background"
    assert pair.caption == "a blue triangle left of a black triangle on a yellow background"
    assert single.objects[0].radius == pytest.approx(0.32545883531330877)


@pytest.mark.parametrize("objects", [1, 2])
def test_as_many_objects_as_asked(objects):
    assert {len(scene.objects) for scene in sample_scenes(50, objects=objects)} == {objects}


def test_everything_occurs_and_nothing_shares_a_color():
    assert {len(scene.objects) for scene in MANY} == {1, 2}
    assert {item.shape for scene in MANY for item in scene.objects} == set(SHAPES)
    assert {scene.relation for scene in MANY} == {*RELATIONS, None}
    for scene in MANY:
        colors = [scene.background, *(item.color for item in scene.objects)]
        assert len(set(colors)) == len(colors)


def test_objects_lie_inside_and_apart_and_as_the_relation_says():
    for scene in MANY:
        for item in scene.objects:
            assert item.radius < item.y < 1 - item.radius
            assert item.radius < item.x < 1 - item.radius
        if scene.relation:
            first, second = scene.objects
            shift = {
                "left of": second.x - first.x,
                "right of": first.x - second.x,
                "above": second.y - first.y,
                "below": first.y - second.y,
            }
            assert shift[scene.relation] >= 0.4  # more than the sum of two radii, which is at most 0.36


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"count": 1, "objects": 3}, "objects=3: a scene holds 1 or 2 objects, or None for either"),
        ({"count": -1}, "count=-1: must not be negative"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        sample_scenes(**settings)


def test_captions():
    circle = Object("circle", "red", 0.5, 0.5, 0.3, "large")
    assert Scene((circle,), "blue").caption == "a large red circle on a blue background"
    pair = (Object("triangle", "green", 0.5, 0.2, 0.15), Object("square", "yellow", 0.5, 0.8, 0.15))
    assert (
        Scene(pair, "black", "left of").caption
        == "a green triangle left of a yellow square on a black background"
    )


def test_every_caption_is_known_to_the_tokenizer_and_fits():
    tokenizer = models.build_tokenizer()
    captions = [scene.caption for scene in MANY]
    tokens = tokenizer(captions, padding="max_length").input_ids
    assert {len(row) for row in tokens} == {models.TEXT_LENGTH}
    assert tokenizer.unk_token_id not in {token for row in tokens for token in row}
    assert tokenizer.batch_decode(tokens, skip_special_tokens=True) == captions
    assert max(len(caption.split()) for caption in captions) + 2 == 14  # beginning and end included
    # No word is there for nothing.
    assert {word for caption in captions for word in caption.split()} == set(words())


def test_a_square_on_the_pixel_grid_is_exact():
    # Half the side is 0.88 x 0.25 x 100 = 22 pixels, so it covers pixels 28 to 71 and no other in part.
    expected = np.empty((100, 100, 3), np.uint8)
    expected[:] = COLORS["blue"]
    expected[28:72, 28:72] = COLORS["red"]
    np.testing.assert_array_equal(one("square").pixels(100, 100), expected)


def test_a_half_covered_pixel_is_the_mean_of_both_colors():
    # Half the side is 22.5 pixels: the edge runs through the middle of pixel 27.
    pixels = one("square", radius=22.5 / 88).pixels(100, 100)
    mean = (np.array(COLORS["red"]) + np.array(COLORS["blue"])) / 2
    np.testing.assert_allclose(pixels[50, 27], mean, atol=0.5)
    assert tuple(pixels[50, 28]) == COLORS["red"]
    assert tuple(pixels[50, 26]) == COLORS["blue"]


@pytest.mark.parametrize(
    ("shape", "area"),
    [("circle", math.pi), ("square", (2 * 0.88) ** 2), ("triangle", 3 * math.sqrt(3) / 4 * 1.2**2)],
)
@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 200)])
def test_areas(shape, area, height, width):
    radius = 0.25 * min(height, width)
    assert coverage(one(shape), height, width).sum() == pytest.approx(area * radius**2, rel=0.005)


def test_a_triangle_points_up_and_its_bounding_box_is_centred():
    covered = coverage(one("triangle"), 400, 400) > 0.5
    rows, columns = np.nonzero(covered.any(1))[0], np.nonzero(covered.any(0))[0]
    assert (rows[0], rows[-1]) == pytest.approx((110, 289), abs=1)  # 200 -+ 0.9 x 100 pixels
    assert (columns[0], columns[-1]) == pytest.approx((96, 303), abs=1)  # 200 -+ 60 x sqrt(3) pixels
    widths = covered.sum(1)[rows]
    assert np.all(np.diff(widths) >= 0)
    assert widths[len(rows) // 2] == pytest.approx(104, abs=2)  # half-way down, half of the base of 207.8


def test_a_circle_stays_round_in_a_wide_picture():
    covered = coverage(one("circle", y=0.5, x=0.25), 100, 200) > 0.5
    assert np.nonzero(covered.any(1))[0][[0, -1]].tolist() == [25, 74]
    assert np.nonzero(covered.any(0))[0][[0, -1]].tolist() == [25, 74]


def test_render_gives_the_pixels_as_a_picture():
    image = MANY[0].render(height=64, width=96)
    assert image.size == (96, 64)
    np.testing.assert_array_equal(np.asarray(image), MANY[0].pixels(64, 96))


def test_an_unknown_shape_is_refused():
    with pytest.raises(ValueError, match=r"^unknown shape 'star'; shapes are circle, square, triangle$"):
        one("star").pixels(64, 64)


def test_public_names():
    # Constants, classes, functions: the order that the linter keeps.
    order = sorted(shapeworld.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert shapeworld.__all__ == order
    assert all(hasattr(shapeworld, name) for name in shapeworld.__all__)
    with pytest.raises(AttributeError, match="no attribute 'scene'"):
        _ = shapeworld.scene


def test_scenes_and_checker_need_no_torch():
    program = "import sys, shapeworld; assert shapeworld.check; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_unknown_words():
    assert unknown_words("A large RED circle on a blue background") == []
    assert unknown_words("a photo of a red fox, a photo") == ["photo", "fox", ","]
    assert unknown_words(None) == []
