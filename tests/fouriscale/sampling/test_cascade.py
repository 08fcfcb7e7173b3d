"""A picture at the training size, enlarged and finished: as diffusers' own pipelines do it, one after the other."""

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from PIL import Image

import fouriscale
from fouriscale import size_conditioning
from fouriscale.hooks.patch import current_state
from fouriscale.sampling import controlnets, vae
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import compare, generate, remake
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.prompts import encode_all
from fouriscale.sampling.recipe import Recipe
from picturelab.notation import Weighted
from picturelab.remarks import Remark
from tests.tiny import lora_files, unet_pipelines

CONFIG = unet_pipelines.CONFIG.replace(mode="fast")
LARGE = dict(height=256, width=256)
CALL = dict(seed=3, steps=2, guidance=2.0, config=CONFIG)


def pixels(image):
    return np.asarray(image, dtype=int)


def apart(one, other):
    return np.abs(pixels(one) - pixels(other)).max()


def by_hand(pipe, family, upsampling, strength=0.5, seed=3, steps=2):
    """The two runs with diffusers' own calls."""
    generator = torch.Generator().manual_seed(seed)
    call = dict(num_inference_steps=steps, guidance_scale=2.0, generator=[generator])
    call |= encode_all(pipe, ["a lighthouse"], None, 2.0)
    as_latents = {"output_type": "latent"} if upsampling == "latents" else {}
    start = pipe(height=128, width=128, **call, **as_latents).images
    if as_latents:
        start = torch.nn.functional.interpolate(start, (32, 32), mode="bicubic")
    else:
        start = [start[0].resize((256, 256), Image.Resampling.BICUBIC)]
    again = AutoPipelineForImage2Image.from_pipe(pipe)
    again.set_progress_bar_config(disable=True)
    if family == "XL":
        call |= size_conditioning(CONFIG, 256, 256)
    with fouriscale.fouriscale(again, CONFIG):
        return again(image=start, strength=strength, **call).images[0]


@pytest.mark.parametrize("upsampling", ["pixels", "latents"])
@pytest.mark.parametrize("family", unet_pipelines.FAMILIES)
def test_it_is_the_pipelines_own_calls(family, upsampling):
    pipe = unet_pipelines.pipeline(family)
    (picture,) = fouriscale.cascade(pipe, "a lighthouse", upsampling=upsampling, **CALL, **LARGE)
    assert picture.image.size == (256, 256)
    assert apart(picture.image, by_hand(pipe, family, upsampling)) == 0
    assert picture.recipe.cascade == {
        "strength": 0.5,
        "upsampling": upsampling,
        "vae_tiling": False,
    }
    assert (picture.recipe.height, picture.recipe.config["grid"]) == (256, "deep")
    (once,) = generate(pipe, "a lighthouse", **CALL, **LARGE)
    assert apart(picture.image, once.image) > 0
    assert once.recipe.cascade is None


def test_a_picture_of_a_batch_is_as_alone_and_remade_bit_for_bit():
    pipe = unet_pipelines.pipeline("SD")
    settings = CALL | {"seed": [1, 2]}
    batch = fouriscale.cascade(pipe, ["a tower", "a lighthouse"], **settings, **LARGE)
    (alone,) = fouriscale.cascade(pipe, "a lighthouse", **CALL | {"seed": 2}, **LARGE)
    assert apart(batch[1].image, alone.image) <= 1
    recipe = Recipe.parse(batch[1].recipe.model_dump())
    assert apart(remake(unet_pipelines.pipeline("SD"), recipe), batch[1].image) == 0


def test_remaking_follows_the_resolved_settings():
    pipe = unet_pipelines.pipeline("SD")
    (picture,) = generate(pipe, "a lighthouse", **CALL, **LARGE)
    left_open = picture.recipe.model_copy(update={"config": CONFIG.to_dict()})
    assert picture.recipe.config["attention"] == "downsampled keys"
    assert left_open.config["attention"] is None
    assert apart(remake(pipe, picture.recipe), picture.image) == 0
    assert apart(remake(pipe, left_open), picture.image) == 0


@pytest.mark.parametrize("kind", [EulerDiscreteScheduler, HeunDiscreteScheduler])
def test_steps_of_both_parts_are_reported(kind):
    pipe = unet_pipelines.pipeline("SD")
    pipe.scheduler = kind.from_config(pipe.scheduler.config)
    steps, sizes = [], []
    generate(
        pipe,
        "a lighthouse",
        cascade=Cascade(0.5),
        on_step=lambda *now: steps.append(now),
        on_latents=lambda _, latents: sizes.append(latents.shape[-1]),
        **CALL | {"steps": 4},
        **LARGE,
    )
    small, large = (
        (4, 2) if kind is EulerDiscreteScheduler else (7, 3)
    )  # Heun's calls, all but the last twice
    assert [done for done, _, _ in steps] == list(range(1, small + large + 1))
    assert {total for _, total, _ in steps} == {small + large}
    assert sizes == [16] * small + [32] * large
    assert [dilation for _, _, dilation in steps[:small]] == [1.0] * small
    assert steps[small][2] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["EulerAncestralDiscrete", "PNDM", "LCM"],
)
def test_every_scheduler_and_its_remake(kind):
    pipe = unet_pipelines.pipeline("SD")
    pipe.scheduler = getattr(diffusers, f"{kind}Scheduler").from_config(pipe.scheduler.config)
    totals = []
    (picture,) = fouriscale.cascade(
        pipe, "a lighthouse", **CALL | {"steps": 4}, **LARGE, on_step=lambda *now: totals.append(now[:2])
    )
    assert pixels(picture.image).std() > 1
    assert totals[-1] == (len(totals), len(totals))
    assert len({total for _, total in totals}) == 1
    assert apart(remake(unet_pipelines.pipeline("SD"), picture.recipe), picture.image) == 0


def test_a_tenth_beyond_the_training_size_it_is_sampled_once():
    pipe = unet_pipelines.pipeline("SD")
    with pytest.warns(
        Remark,
        match=r"^width 136, height 136 is at most a tenth beyond the training size: it is sampled once$",
    ):
        (picture,) = fouriscale.cascade(pipe, "a lighthouse", **CALL, height=136, width=136)
    (once,) = generate(pipe, "a lighthouse", **CALL, height=136, width=136)
    assert apart(picture.image, once.image) == 0
    assert picture.recipe == once.recipe


def test_what_is_applied_to_the_pipeline_finishes_it_and_stands_aside_before():
    pipe = unet_pipelines.pipeline("SD")
    settings = {name: value for name, value in CALL.items() if name != "config"}
    wide = CONFIG.replace(
        mode="paper", stop=1.0, anneal=False
    )  # its own rule has 128 x 128 twice in 104 x 160
    size = dict(height=192, width=288)
    (expected,) = fouriscale.cascade(pipe, "a lighthouse", config=wide, **settings, **size)
    dilations = []
    with fouriscale.fouriscale(pipe, wide):
        (picture,) = fouriscale.cascade(
            pipe, "a lighthouse", **settings, **size, on_step=lambda *now: dilations.append(now[2])
        )
        assert current_state(pipe).config == wide
    assert apart(picture.image, expected.image) == 0
    assert dilations == [1.0, 1.0, 3.0]


def test_comparison_is_with_direct_sampling():
    pipe = unet_pipelines.pipeline("SD")
    both = compare(pipe, "a lighthouse", cascade=Cascade(), **CALL, **LARGE)
    settings = CALL | {"config": None}
    (direct,) = generate(pipe, "a lighthouse", **settings, **LARGE)
    (scaled,) = generate(pipe, "a lighthouse", cascade=Cascade(), **CALL, **LARGE)
    shown = both.image.crop((0, both.image.height - 256, both.image.width, both.image.height))
    assert apart(shown.crop((0, 0, 256, 256)), direct.image) == 0
    assert apart(shown.crop((shown.width - 256, 0, shown.width, 256)), scaled.image) == 0
    assert both.recipe.compare
    assert both.recipe.cascade == scaled.recipe.cascade


@pytest.mark.parametrize("upsampling", ["pixels", "latents"])
def test_controlnets_lead_both_parts(tmp_path, monkeypatch, upsampling):
    monkeypatch.setattr(controlnets, "check", lambda model: None)
    nets = []
    monkeypatch.setattr(
        controlnets, "load", lambda model, pipe: nets.append(unet_pipelines.controlnet("SD")) or nets[-1]
    )
    unet_pipelines.picture().save(tmp_path / "edges.png")
    inputs = Inputs(controls=(("net", tmp_path / "edges.png", 1.0),))
    seen = []
    pipe = unet_pipelines.pipeline("SD")
    cascade = Cascade(upsampling=upsampling)

    def look(step, *_):
        if step == 1:
            nets[0].register_forward_pre_hook(
                lambda _, args, kwargs: seen.append(tuple(kwargs["controlnet_cond"].shape[-2:])),
                with_kwargs=True,
            )

    (led,) = generate(pipe, "a lighthouse", inputs=inputs, cascade=cascade, on_step=look, **CALL, **LARGE)
    (plain,) = generate(pipe, "a lighthouse", cascade=cascade, **CALL, **LARGE)
    assert len(nets) == 1  # loaded once
    assert seen == [(128, 128), (256, 256)]
    assert apart(led.image, plain.image) > 0


def test_loras_hold_for_both_parts_and_come_off(tmp_path):
    pipe = unet_pipelines.pipeline("SD", unet=unet_pipelines.unet("SD"))
    file = lora_files.write(tmp_path / "style.safetensors", lora_files.of_unet(pipe))
    before = list(pipe.unet.state_dict())
    inputs = Inputs(loras=(Weighted(str(file), 3.0),))
    seen = []
    (styled,) = generate(
        pipe,
        "a lighthouse",
        inputs=inputs,
        cascade=Cascade(),
        on_step=lambda *_: seen.append(hasattr(pipe.unet, "peft_config")),
        **CALL,
        **LARGE,
    )
    (plain,) = generate(pipe, "a lighthouse", cascade=Cascade(), **CALL, **LARGE)
    assert seen == [True] * 3
    assert apart(styled.image, plain.image) > 0
    assert list(pipe.unet.state_dict()) == before


def test_each_part_is_decoded_as_its_own_size_asks(monkeypatch):
    pipe = unet_pipelines.pipeline("SD")
    monkeypatch.setattr(vae, "decoder_overflows", lambda _, height, *__: height > 128)
    tiled = []
    decode = pipe.vae.decode
    monkeypatch.setattr(
        pipe.vae,
        "decode",
        lambda z, **etc: tiled.append((z.shape[-1], pipe.vae.use_tiling)) or decode(z, **etc),
    )
    (picture,) = fouriscale.cascade(pipe, "a lighthouse", **CALL, **LARGE)
    assert tiled == [(16, False), (32, True)]
    assert (picture.recipe.vae_tiling, picture.recipe.cascade["vae_tiling"]) == (True, False)
    assert not pipe.vae.use_tiling
    tiled.clear()
    again = remake(pipe, Recipe.parse(picture.recipe.model_dump()))
    assert (tiled, apart(again, picture.image)) == ([(16, False), (32, True)], 0)
    tiled.clear()
    (asked,) = fouriscale.cascade(pipe, "a lighthouse", vae_tiling=True, **CALL, **LARGE)
    assert tiled == [(16, True), (32, True)]
    assert asked.recipe.cascade["vae_tiling"] is True
