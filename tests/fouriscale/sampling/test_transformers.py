"""Pictures of pipelines with a transformer: the pipeline's own call, its guidance, recipes, and what is refused."""

import inspect

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    ChromaPipeline,
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    FluxPipeline,
    QwenImagePipeline,
)
from PIL import Image

from fouriscale import FouriScaleConfig, PositionConfig, fouriscale
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate, remake, sampling_defaults
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.recipe import Recipe
from fouriscale.sampling.relatives import INPAINTING, class_for
from fouriscale.sampling.schedulers import recorded_scheduler
from fouriscale.sampling.transformers import (
    as_map,
    check_sides,
    guidance_argument,
    text_arguments,
    usual_settings,
)
from picturelab.notation import Weighted
from tests.tiny import lora_files

PROMPT = "a large red circle on a blue background"
SIZE = dict(height=160, width=144)
CONFIG = PositionConfig.preset("shapeworld-joint")


@pytest.fixture(scope="module")
def pipe():
    pipe = load_pipeline("shapeworld/joint-masked", device="cpu")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixels(image):
    return np.asarray(image, dtype=int)


def test_direct_sampling_is_the_pipelines_own_call(pipe):
    assert sampling_defaults(pipe) == (15, 3.0)
    (picture,) = generate(pipe, PROMPT, seed=3, steps=1, **SIZE)
    plain = pipe(
        PROMPT,
        negative_prompt="",
        true_cfg_scale=3.0,
        max_sequence_length=72,
        generator=torch.Generator().manual_seed(3),
        num_inference_steps=1,
        **SIZE,
    ).images[0]
    assert (pixels(picture.image) == pixels(plain)).all()
    assert (picture.recipe.config, picture.recipe.guidance) == (None, 3.0)


def test_a_picture_is_remade_from_its_recipe_and_prompts_are_sampled_alone(pipe):
    pictures = generate(pipe, ["a blue square", PROMPT], seed=[1, 2], steps=1, config=CONFIG, **SIZE)
    first, second = (picture.recipe for picture in pictures)
    assert (first.batch_size, second.batch_size, second.batch_index) == (1, 1, 0)
    assert second.config == CONFIG.to_dict()
    recipe = Recipe.parse(second.model_dump())
    assert (pixels(remake(pipe, recipe)) == pixels(pictures[1].image)).all()
    (direct,) = generate(pipe, PROMPT, seed=2, steps=1, **SIZE)
    assert (pixels(direct.image) != pixels(pictures[1].image)).any()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"cascade": Cascade(upsampling="latents"), "config": CONFIG},
            "cascade_upsampling='latents': a transformer's",
        ),
        ({"height": 132, "config": CONFIG}, "132"),
    ],
)
def test_what_a_transformer_does_not_take(pipe, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        generate(pipe, PROMPT, steps=1, **SIZE | settings)


def test_inputs_and_settings_of_unets_are_refused(pipe, tmp_path):
    file = lora_files.write(tmp_path / "style.safetensors", lora_files.kohya("lora_unet_mid", 2, 4))
    inputs = Inputs(loras=(Weighted(str(file), 1.0),))
    with pytest.raises(
        ValueError, match=r"lora=.*style.safetensors: a transformer's pictures are made without"
    ):
        generate(pipe, PROMPT, inputs=inputs, steps=2, config=CONFIG, **SIZE)
    with pytest.raises(TypeError, match="must be a PositionConfig for a FluxTransformer2DModel"):
        generate(pipe, PROMPT, steps=1, config=FouriScaleConfig.preset("sd15"), **SIZE)


def test_a_size_is_a_whole_number_of_tokens():
    check_sides((1024, 2048), 16, "FluxPipeline")
    with pytest.raises(
        ValueError,
        match=r"^width 1000, height 1024: both must be multiples of 16 for FluxPipeline, such as 992x1024$",
    ):
        check_sides((1024, 1000), 16, "FluxPipeline")


def test_guidance_goes_to_the_argument_that_has_an_effect():
    flux = inspect.signature(FluxPipeline.__call__).parameters
    assert guidance_argument(flux, {"guidance_embeds": True}) == "guidance_scale"  # dev
    assert guidance_argument(flux, {"guidance_embeds": False}) == "true_cfg_scale"  # schnell, and ours
    assert guidance_argument({"guidance_scale": None}, {}) == "guidance_scale"
    assert usual_settings(FluxPipeline, {"guidance_embeds": True}, "owner/name") == (28, 3.5)
    assert usual_settings(QwenImagePipeline, {}, "owner/name") == (50, 4.0)


def test_without_guidance_there_is_no_negative_prompt(pipe):
    guided = text_arguments(pipe, PROMPT, None, 3.0)
    assert guided == {
        "prompt": PROMPT,
        "true_cfg_scale": 3.0,
        "negative_prompt": "",
        "max_sequence_length": 72,
    }
    assert "negative_prompt" not in text_arguments(pipe, PROMPT, "blue", 1.0)


def test_latents_by_rows_and_columns(pipe):
    maps = torch.arange(4 * 40 * 36.0).view(1, 4, 40, 36)
    rows = pipe._pack_latents(maps, 1, 4, 40, 36)
    assert torch.equal(as_map(pipe, rows, (160, 144)), maps)
    assert as_map(pipe, maps, (160, 144)) is maps
    assert as_map(object(), rows, (160, 144)) is None


def test_a_schedule_that_follows_the_size_is_set_up_from_a_recipe():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    config = {key: value for key, value in scheduler.config.items() if not key.startswith("_")}
    again = recorded_scheduler({"class": type(scheduler).__name__, "config": config}, 4)
    assert again.config.use_dynamic_shifting


@pytest.mark.parametrize("masked", [False, True])
def test_a_picture_to_start_from_and_its_remake(pipe, tmp_path, masked):
    noise = np.random.default_rng(0).integers(0, 255, (160, 144, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    Image.fromarray(np.repeat(np.uint8([0, 255]), 72)[None].repeat(160, 0)).save(tmp_path / "mask.png")
    inputs = Inputs(image=tmp_path / "a.png", strength=0.3, mask=tmp_path / "mask.png" if masked else None)
    (picture,) = generate(pipe, PROMPT, inputs=inputs, seed=3, steps=2, config=CONFIG, **SIZE)
    kind = FluxInpaintPipeline if masked else FluxImg2ImgPipeline
    own = kind(**{name: part for name, part in pipe.components.items() if part is not None})
    own.set_progress_bar_config(disable=True)
    given = {"mask_image": Image.open(tmp_path / "mask.png")} if masked else {}
    with fouriscale(own, CONFIG):
        plain = own(
            PROMPT,
            image=Image.open(tmp_path / "a.png"),
            strength=0.3,
            negative_prompt="",
            true_cfg_scale=3.0,
            max_sequence_length=72,
            generator=torch.Generator().manual_seed(3),
            num_inference_steps=2,
            **given,
            **SIZE,
        ).images[0]
    assert (pixels(picture.image) == pixels(plain)).all()
    recipe = Recipe.parse(picture.recipe.model_dump())
    assert (pixels(remake(pipe, recipe)) == pixels(picture.image)).all()


def test_an_inpainting_pipeline_that_fails_in_diffusers_is_refused():
    with pytest.raises(
        ValueError, match=r"^ChromaPipeline draws from a prompt alone: .* no inpainting pipeline"
    ):
        class_for(ChromaPipeline, INPAINTING)
    assert class_for(FluxPipeline, INPAINTING) is FluxInpaintPipeline
