"""Edge width and grain against pictures whose values are known."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from shapeworld import Object, Scene, check, sample_scenes
from shapeworld.judge.texture import texture

SCENE = Scene((Object("square", "white", 0.5, 0.5, 0.3),), "black")


def ramp(width: int) -> Image.Image:
    """A white square on black, its vertical edges linear ramps of `width` pixels, its others sharp."""
    level = np.clip((np.arange(256) - 64) / width + 0.5, 0, 1) * np.clip(
        (192 - np.arange(256)) / width + 0.5, 0, 1
    )
    rows = (np.abs(np.arange(256) - 127.5) < 64).astype(float)
    values = 20 + 222 * rows[:, None] * level[None, :]
    return Image.fromarray(np.repeat(values[..., None].round().astype(np.uint8), 3, axis=2))


def width_of(image: Image.Image) -> float:
    return texture(image, check(image, SCENE)).edge_width


@pytest.mark.parametrize("width", [6, 9])  # at which no pixel lies at 10% or 90% itself
def test_a_linear_ramp(width):
    # Half of the outline is 0.8 of the ramp wide, the other half is sharp and 0 wide.
    assert width_of(ramp(width)) == pytest.approx(0.5 * 0.8 * width, rel=0.05)


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("scene", sample_scenes(6, seed=2, objects=1))
def test_a_blurred_edge(scene, sigma):
    # A Gaussian of deviation s makes 10% to 90% 2.563 s wide, wherever the outline is straight or nearly so.
    image = scene.render(256, 256).filter(ImageFilter.GaussianBlur(sigma))
    found = texture(image, check(image, scene)).edge_width
    assert found == pytest.approx(np.hypot(2.563 * sigma, 0.8), rel=0.25)


def test_the_truth_is_sharp_and_even():
    for scene in sample_scenes(8, seed=3, objects=1):
        image = scene.render(256, 256)
        found = texture(image, check(image, scene))
        assert found.edge_width < 1.2
        assert found.grain == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("deviation", [1.0, 4.0])
def test_grain(deviation):
    noise = np.random.default_rng(0).normal(0, deviation, (256, 256, 3))
    grey = Image.fromarray((128 + noise).round().clip(0, 255).astype(np.uint8))
    found = texture(grey, check(grey, SCENE))
    assert found.grain == pytest.approx(np.sqrt((deviation**2 + 1 / 12) * 80 / 81), rel=0.02)


def test_slow_shading_is_little_grain():
    shade = np.linspace(20, 60, 256)[None, :, None] + np.zeros((256, 1, 3))
    image = Image.fromarray(shade.astype(np.uint8))
    rough = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 60, (256, 256)), 2)
    grainy = Image.fromarray((40 + rough[..., None] + np.zeros(3)).clip(0, 255).astype(np.uint8))
    assert texture(image, check(image, SCENE)).grain < 1 < texture(grainy, check(grainy, SCENE)).grain


def test_nothing_to_measure():
    empty = Image.new("RGB", (256, 256), (20, 20, 20))
    assert texture(empty, check(empty, SCENE)).edge_width is None
    chequered = Image.fromarray(
        np.where(np.indices((256, 256)).sum(0)[..., None] // 8 % 2, 20, 242).astype(np.uint8)
        + np.zeros(3, np.uint8)
    )
    assert texture(chequered, check(chequered, SCENE)).grain is None
