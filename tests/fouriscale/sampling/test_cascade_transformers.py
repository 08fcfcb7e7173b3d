"""A transformer's cascade: as diffusers' own pipelines do it, one after the other; its recipe, and what is refused."""

import inspect

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from fouriscale import PositionConfig, cascade, fouriscale
from fouriscale.hooks.patch import current_state
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate, remake
from fouriscale.sampling.recipe import Recipe
from fouriscale.sampling.strength import steps_of
from fouriscale.sampling.transformers import as_map, text_arguments
from picturelab.remarks import Remark
from tests.tiny import text_pipelines as tiny

CONFIG = PositionConfig((16, 16), temperature=1.1)
AGAIN = {
    "flux": diffusers.FluxImg2ImgPipeline,
    "chroma": diffusers.ChromaImg2ImgPipeline,
    "qwen_image": diffusers.QwenImageImg2ImgPipeline,
    "z_image": diffusers.ZImageImg2ImgPipeline,
    "sd3": diffusers.StableDiffusion3Img2ImgPipeline,
}
PROMPT = "a red cat"
CALL = dict(height=32, width=48, seed=3, steps=3, guidance=2.0)


def pixels(image):
    return np.asarray(image, dtype=int)


def by_hand(pipe, family, first):
    call = text_arguments(pipe, PROMPT, None, 2.0)
    call |= {"num_inference_steps": 3, "generator": torch.Generator().manual_seed(3)}
    torch.manual_seed(0)
    start = pipe(height=first[0], width=first[1], **call).images
    again = AGAIN[family](**{name: part for name, part in pipe.components.items() if part is not None})
    again.set_progress_bar_config(disable=True)
    large = start[0].resize((48, 32), Image.Resampling.BICUBIC)
    with fouriscale(again, CONFIG):
        return again(image=[large], strength=0.5, height=32, width=48, **call).images[0]


@pytest.fixture(autouse=True)
def short_template(monkeypatch):
    """The tiny Qwen-Image's template is shorter than the real one, which its pipelines count on."""
    usual = diffusers.QwenImageImg2ImgPipeline.__init__

    def init(self, **parts):
        usual(self, **parts)
        self.prompt_template_encode_start_idx = tiny.pipeline("qwen_image").prompt_template_encode_start_idx

    init.__signature__ = inspect.signature(usual)  # which diffusers reads
    monkeypatch.setattr(diffusers.QwenImageImg2ImgPipeline, "__init__", init)


@pytest.mark.parametrize("family", AGAIN)
def test_it_is_the_pipelines_own_calls(family):
    pipe, sizes, steps = tiny.pipeline(family), [], []
    torch.manual_seed(0)  # of which some pipelines draw what they encode pictures with
    (picture,) = cascade(
        pipe,
        PROMPT,
        config=CONFIG,
        on_step=lambda *now: steps.append(now[:2]),
        on_latents=lambda _, latents: sizes.append(latents.shape),
        **CALL,
    )
    assert picture.image.size == (48, 32)
    # Of 3 steps the last 2 are sampled at the size that is wanted, for these pipelines round up.
    assert steps == [(done, 5) for done in range(1, 6)]
    assert [sizes.count(size) for size in dict.fromkeys(sizes)] == [3, 2]
    # The shorter side as trained: 16 x 24, and in tokens of 16 pixels 16 x 32.
    first = (16, 32) if family == "qwen_image" else (16, 24)
    assert (pixels(picture.image) == pixels(by_hand(pipe, family, first))).all()
    assert current_state(pipe) is None
    assert picture.recipe.cascade == {"strength": 0.5, "upsampling": "pixels", "vae_tiling": False}


def test_it_is_remade_from_its_recipe_and_sampled_once_where_nothing_is_to_be_enlarged():
    pipe = tiny.pipeline("flux")
    made = cascade(pipe, [PROMPT, "a blue dog"], config=CONFIG, **CALL | {"seed": [1, 2]})
    recipe = Recipe.parse(made[1].recipe.model_dump())
    assert (pixels(remake(pipe, recipe)) == pixels(made[1].image)).all()
    small = CALL | {"height": 16, "width": 16}
    with pytest.warns(Remark, match="^width 16, height 16 is at most a tenth beyond the training size"):
        (once,) = cascade(pipe, PROMPT, config=CONFIG, **small)
    (direct,) = generate(pipe, PROMPT, **small)
    assert once.recipe.cascade is None
    assert (pixels(once.image) == pixels(direct.image)).all()


@pytest.mark.parametrize("family", ["flux2", "lumina2", "krea2"])
def test_families_without_image_to_image_are_refused(family):
    pipe = tiny.pipeline(family)
    sentence = (
        f"^{type(pipe).__name__} draws from a prompt alone: diffusers has no image-to-image pipeline for it"
    )
    with pytest.raises(ValueError, match=sentence):
        cascade(pipe, PROMPT, config=CONFIG, **CALL)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (
            Cascade(upsampling="latents"),
            "^cascade_upsampling='latents': a transformer's image to image starts",
        ),
        (Cascade(), "^cascade_strength=0.5 without FouriScale"),
    ],
)
def test_what_cannot_be(parts, sentence):
    config = CONFIG if parts.upsampling == "latents" else None
    with pytest.raises(ValueError, match=sentence):
        generate(tiny.pipeline("flux"), PROMPT, config=config, cascade=parts, **CALL)


def test_a_scheduler_that_cannot_noise_a_picture_is_refused():
    pipe = tiny.fresh("flux")
    pipe.scheduler = diffusers.EulerDiscreteScheduler()
    with pytest.raises(
        ValueError, match=r"EulerDiscreteScheduler cannot noise .* such as FlowMatchEulerDiscrete$"
    ):
        cascade(pipe, PROMPT, config=CONFIG, **CALL)


@pytest.mark.parametrize("steps", [1, 4, 15, 28, 50])
@pytest.mark.parametrize("strength", [0.05, 0.3, 0.5, 0.58, 1.0])
@pytest.mark.parametrize("kind", [diffusers.FluxImg2ImgPipeline, diffusers.StableDiffusionImg2ImgPipeline])
def test_steps_are_counted_as_diffusers_does(kind, strength, steps):
    class Schedule:
        timesteps, order = list(range(steps)), 1

    pipe = object.__new__(kind)
    vars(pipe)["scheduler"] = Schedule()
    denoiser = "transformer" if kind is diffusers.FluxImg2ImgPipeline else "unet"
    assert len(pipe.get_timesteps(steps, strength, "cpu")[0]) == steps_of(strength, steps, denoiser)


def test_models_keep_their_dtype():
    pipe = tiny.fresh("flux").to(torch.bfloat16)
    cascade(pipe, PROMPT, config=CONFIG, **CALL)
    assert {part.dtype for part in (pipe.transformer, pipe.vae, pipe.text_encoder)} == {torch.bfloat16}


def test_rows_of_another_size_are_no_map():
    pipe = tiny.pipeline("flux")
    assert as_map(pipe, torch.zeros(1, 15, 16), (32, 48)) is None
    assert as_map(pipe, torch.zeros(1, 96, 16), (32, 48)).shape == (1, 4, 16, 24)
