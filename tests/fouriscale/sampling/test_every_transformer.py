"""A picture from a tiny random pipeline of every family of transformers: its call, its guidance, its recipe."""

import json

import pytest

from fouriscale import PositionConfig
from fouriscale.sampling.generate import generate
from fouriscale.sampling.recipe import Recipe
from picturelab import models
from tests.tiny.text_pipelines import CALL

RULES = {"sd3": "interpolate"}  # whose table can follow no other
SIZES = {"lumina2": (8, 8)}  # which takes every VAE for one of 8 pixels a latent pixel; the tiny one has 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["chroma", "flux", "flux2", "krea2", "lumina2", "qwen_image", "sd3", "z_image"]
)
def test_a_picture_and_its_recipe(tiny, tmp_path, monkeypatch, name):
    pipe = tiny(name)
    (tmp_path / "sampling.json").write_text(json.dumps({"call": CALL[name]}))
    monkeypatch.setattr(pipe, models._ORIGIN, models.ModelOrigin(str(tmp_path), None), raising=False)
    config = PositionConfig((16, 16), rule=RULES.get(name, "ntk"))
    steps = []
    (picture,) = generate(
        pipe, "a red cat", height=32, width=32, steps=1, config=config,
        on_step=lambda done, of, _: steps.append((done, of)),
    )  # fmt: skip
    assert picture.image.size == SIZES.get(name, (32, 32))
    recipe = Recipe.parse(picture.recipe.model_dump())
    assert (recipe.model, recipe.config) == (str(tmp_path), config.to_dict())
    assert steps == [(1, 1)]
