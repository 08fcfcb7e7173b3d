"""Pictures stay what they are: recipes of before there was a deep grid mean what they meant."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fouriscale.config import FouriScaleConfig
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.generate import remake
from fouriscale.sampling.recipe import Recipe, read

# Of `fouriscale generate "a small red square on a white background" --size 192x192 --steps 8 --seed 5 --mode fast`.
OLD = Path(__file__).parent / "data" / "fast-at-438a06a.png"


def pixels(image):
    return np.asarray(image, dtype=int)


@pytest.fixture
def recipe():
    return Recipe.parse(read(OLD))


def test_an_old_fast_recipe_means_layerwise(recipe):
    assert recipe.config["mode"] == "fast"
    assert "grid" not in recipe.config
    config = FouriScaleConfig.from_dict(recipe.config)
    assert (config.mode, config.deep) == ("layerwise", False)
    assert recipe.cascade is None


@pytest.mark.slow
def test_an_old_fast_picture_is_remade(recipe):
    pipe = load_pipeline(recipe.model, device="cpu")
    pipe.set_progress_bar_config(disable=True)
    with Image.open(OLD) as old:
        before = pixels(old)
    assert np.abs(pixels(remake(pipe, recipe)) - before).max() <= 1  # other kernels round otherwise
    deep = recipe.model_copy(update={"config": recipe.config | {"grid": "deep"}})
    assert np.abs(pixels(remake(pipe, deep)) - before).max() > 20
