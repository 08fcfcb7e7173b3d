"""Pictures in WebP and JPEG from the command line, made again from their recipes."""

import json

import numpy as np
import pytest
from PIL import Image

from fouriscale.cli import main
from fouriscale.sampling.recipe import read
from picturelab.embedded import texts_of

pytestmark = pytest.mark.slow


@pytest.fixture
def run(run_command):
    return lambda *arguments: run_command(main, *arguments)


@pytest.fixture
def generate(run, tiny_model):
    return lambda *arguments: run(
        *("generate", "a large red circle", "--model", tiny_model, "--steps", 1, "--size", "64x64"),
        *("--device", "cpu", *arguments),
    )


def pixels(path):
    return np.asarray(Image.open(path), dtype=int)


def test_a_lossy_picture_is_shown_and_made_again(generate, run, tmp_path):
    assert generate("--out", "exact.png")[0] == 0
    assert generate("--format", "webp", "--quality", 80, "--out", "a")[0] == 0
    (webp,) = (tmp_path / "a").iterdir()
    assert webp.name == "a-large-red-circle-0.webp"
    assert generate("--out", "b.jpg", "--no-a1111")[0] == 0
    for path in (webp, tmp_path / "b.jpg"):
        # An untrained model draws noise, of which WebP keeps little colour.
        assert 0 < np.abs(pixels(path) - pixels("exact.png")).mean() < 25
        code, out, _ = run("show", path)
        assert (code, json.loads(out)["seed"]) == (0, 0)
        code, _, err = run("remake", path, "--out", "again.png")
        assert code == 0
        assert f"{path} is a {'WebP' if path == webp else 'JPEG'}, whose pixels are not those" in err
        assert (pixels("again.png") == pixels("exact.png")).all()
        assert read("again.png") == read(path)
    assert "parameters" in texts_of(webp).texts
    assert "parameters" not in texts_of(tmp_path / "b.jpg").texts


def test_a_png_carries_a1111s_text_unless_it_is_not_wanted(generate, tmp_path):
    for arguments, names in (
        ((), {"fouriscale", "parameters"}),
        (("--no-a1111",), {"fouriscale"}),
        (("--no-recipe",), set()),
    ):
        assert generate("--out", "a.png", *arguments)[0] == 0
        assert set(texts_of(tmp_path / "a.png").texts) == names


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--format", "gif"), "format='gif': must be png, webp or jpeg"),
        (("--format", "jpeg", "--out", "a.webp"), "a.webp is named as WebP, and the format is to be 'jpeg'"),
        (("--quality", "90"), "quality is 90, and PNG keeps pixels as they are"),
        (("--quality", "0", "--format", "webp"), "quality=0: must be a whole number from 1 to 100"),
        (("--format", "webp", "--size", "16384x64"), "width 16384, height 64 is too large for WebP"),
        (
            ("--format", "webp", "--size", "8192x64", "--compare"),
            "width 16384, height 64 is too large for WebP",
        ),
        (("--out", "a.bmp"), "a.bmp: pictures are written as PNG, WebP or JPEG"),
    ],
)
def test_what_is_refused_before_a_model_is_loaded(generate, tmp_path, arguments, sentence):
    code, out, err = generate(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert not list(tmp_path.iterdir())
