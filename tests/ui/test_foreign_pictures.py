"""Pictures of A1111 and ComfyUI on the page: what they say fills fields."""

import json

import pytest
from PIL import Image, PngImagePlugin

from picturelab_ui.high_resolution import from_picture
from picturelab_ui.high_resolution.from_picture import read_foreign
from tests.picturelab.foreign.test_a1111 import THEIRS
from tests.picturelab.foreign.test_comfyui import GRAPH


def png(path, **texts):
    chunks = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        chunks.add_text(name, text)
    Image.new("RGB", (16, 8)).save(path, pnginfo=chunks)
    return path


def test_what_is_known_fills_fields_and_the_model_stays(tmp_path, values):
    said = from_picture.of_foreign(read_foreign(png(tmp_path / "a.png", parameters=THEIRS)))
    assert said.keys() == {"prompt", "negative", "seed", "steps", "guidance", "width", "height", "sampler"}
    assert (said["seed"], said["width"], said["height"]) == (1234567890123, 512, 768)
    assert said.keys() <= values.keys()
    assert "model" not in from_picture.of_foreign(
        read_foreign(png(tmp_path / "b.png", prompt=json.dumps(GRAPH)))
    )


def test_a_recipe_of_ours_is_no_foreign_one(tmp_path):
    assert read_foreign(png(tmp_path / "a.png", fouriscale="{}", parameters=THEIRS)) is None
    assert read_foreign(png(tmp_path / "b.png")) is None


def test_what_cannot_be_read_names_the_picture_and_no_folder(tmp_path):
    with pytest.raises(
        ValueError, match=r"^a\.png carries settings that cannot be read \(it is nested too deeply\)$"
    ):
        read_foreign(png(tmp_path / "a.png", prompt="[" * 100_000))
