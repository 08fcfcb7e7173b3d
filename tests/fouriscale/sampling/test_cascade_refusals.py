"""What no cascade can be made of, and that it is said before time is spent."""

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    IPNDMScheduler,
)
from transformers import CLIPImageProcessor

import fouriscale
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.recipe import Recipe
from tests.fouriscale.sampling.test_cascade import CALL, CONFIG, LARGE
from tests.tiny import unet_pipelines


def test_what_does_not_go_together(tmp_path):
    pipe = unet_pipelines.pipeline("SD")
    unet_pipelines.picture().save(tmp_path / "a.png")
    inputs = Inputs(image=tmp_path / "a.png")
    calls = [
        (dict(config=None), r"^cascade_strength=0\.5 without FouriScale: "),
        (dict(inputs=inputs), r"^image=.*a\.png with a cascade, which makes a picture of its own to start from"),
        (dict(steps=50, cascade=Cascade(0.1)), r"^cascade_strength=0\.1: none of the last 5 of 50 steps is"),
        (dict(steps=1), r"^cascade_strength=0\.5, steps=1: strength x steps must be at least 1, .* or 2 steps$"),
    ]  # fmt: skip
    for change, said in calls:
        with pytest.raises(ValueError, match=said):
            generate(pipe, "a lighthouse", **CALL | dict(cascade=Cascade()) | change, **LARGE)


def test_a_scheduler_that_cannot_noise_a_picture():
    pipe = unet_pipelines.pipeline("SD")
    pipe.scheduler = IPNDMScheduler()
    steps = []
    with pytest.raises(
        ValueError, match=r"^IPNDMScheduler cannot noise a picture, .* such as EulerDiscrete$"
    ):
        fouriscale.cascade(pipe, "a lighthouse", **CALL, **LARGE, on_step=lambda *now: steps.append(now))
    assert steps == []


class Checker(torch.nn.Module):
    """Stands for a safety checker; what it flags it makes black."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, flagged):
        super().__init__()
        self.flagged = flagged

    def forward(self, images, clip_input):
        return images, self.flagged


def test_a_first_picture_that_a_safety_checker_makes_black():
    pipe = unet_pipelines.pipeline("SD")
    settings = CALL | {"seed": [1, 2]}
    pipe.safety_checker, pipe.feature_extractor = Checker([False, True]), CLIPImageProcessor()
    steps = []
    with pytest.raises(
        ValueError, match=r"^the model's safety checker .* black \(number 2 of 2\), so there is"
    ):
        fouriscale.cascade(pipe, ["a", "b"], **settings, **LARGE, on_step=lambda *now: steps.append(now))
    assert len(steps) == 2  # of the first pictures alone
    # Latents are not shown to it.
    fouriscale.cascade(pipe, ["a", "b"], upsampling="latents", **settings, **LARGE)


def test_latents_that_image_to_image_does_not_know():
    wide = AutoencoderKL(latent_channels=8, norm_num_groups=2, block_out_channels=(4,))
    pipe = unet_pipelines.pipeline(
        "SD", vae=wide, unet=unet_pipelines.unet("SD", in_channels=8, out_channels=8)
    )
    with pytest.raises(ValueError, match=r"^cascade_upsampling='latents': .* latents of 8 channels"):
        fouriscale.cascade(pipe, "a lighthouse", upsampling="latents", **CALL, **LARGE)


def test_a_config_that_does_not_fit_shows_before_sampling():
    steps = []
    with pytest.raises(ValueError, match="nowhere"):
        fouriscale.cascade(
            unet_pipelines.pipeline("SD"),
            "a lighthouse",
            **CALL | {"config": CONFIG.replace(layers=["nowhere.*"])},
            **LARGE,
            on_step=lambda *now: steps.append(now),
        )
    assert steps == []


@pytest.mark.parametrize(
    "wrong", [{"strength": 2}, {"upsampling": "x"}, {"colour": 1}, {"strength": {}}, {"strength": None}]
)
def test_a_wrong_recipe_is_one_sentence(wrong):
    pipe = unet_pipelines.pipeline("SD")
    (picture,) = generate(pipe, "a lighthouse", **CALL | {"steps": 1}, height=64, width=64)
    with pytest.raises(ValueError, match="the recipe's cascade is wrong: "):
        Recipe.parse(picture.recipe.model_dump() | {"cascade": wrong})
    with pytest.raises(ValueError, match="holds no FouriScale config"):
        Recipe.parse(picture.recipe.model_dump() | {"cascade": {}, "config": None})
