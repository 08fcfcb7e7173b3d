"""A picture at the training size, enlarged and finished: as diffusers' own pipelines do it, one after the other."""

import re

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoPipelineForImage2Image,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    IPNDMScheduler,
)
from PIL import Image
from transformers import CLIPImageProcessor

import fouriscale
from fouriscale import FouriScaleConfig, size_conditioning
from fouriscale.hooks.patch import current_state
from fouriscale.sampling import controlnets, vae
from fouriscale.sampling.cascade import Cascade, config_for_run, enlarged, first_size, sentence
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


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"strength": 0}, r"^cascade_strength=0: must be above 0 and at most 1$"),
        ({"strength": 1.01}, r"^cascade_strength=1\.01: "),
        ({"strength": float("nan")}, r"^cascade_strength=nan: "),
        ({"strength": True}, r"^cascade_strength=True: "),
        ({"strength": "0.6"}, r"^cascade_strength='0\.6': "),
        ({"upsampling": "pixel"}, r"^cascade_upsampling='pixel': must be one of pixels, latents$"),
        ({"upsampling": ["pixels"]}, r"^cascade_upsampling=\['pixels'\]: "),
        ({"vae_tiling": "no"}, r"^cascade_vae_tiling='no': must be true, false or left out$"),
    ],
)
def test_refused_settings(values, said):
    with pytest.raises(ValueError, match=said):
        Cascade(**values)


def test_details_need_a_cascade():
    assert Cascade.chosen(None, None, None) is None
    assert Cascade.chosen(False, None, None) is None
    assert Cascade.chosen(True, None, "latents") == Cascade(0.5, "latents")
    with pytest.raises(ValueError, match=r"^cascade_strength=0\.5: needs a cascade"):
        Cascade.chosen(False, 0.5, None)


@pytest.mark.parametrize(
    ("size", "training", "first"),
    [
        ((256, 256), [[128, 128]], (128, 128)),
        ((512, 512), [[128, 128]], (128, 128)),
        # Times root 6: 104.5 x 156.8; 104 x 160 has 1.6% more than the area and a ratio of 1.54.
        ((256, 384), [[128, 128]], (104, 160)),
        ((1024, 1536), [[512, 512]], (416, 624)),
        ((3072, 2048), [[1024, 1024], [1216, 832]], (1232, 824)),
        ((136, 136), [[128, 128]], None),  # within a tenth
        ((64, 64), [[128, 128]], None),
    ],
)
def test_the_first_size(size, training, first):
    config = FouriScaleConfig(training_sizes=training, layers=["mid_block.*"])
    assert first_size(config, *size) == first


@pytest.mark.parametrize(
    ("strength", "changes", "said"),
    [
        # The grid lasts until step 40, so that 11 of 50 steps are the fewest that begin on it.
        (0.15, {}, "none of the last 7 of 50 steps is on the grid, which lasts until step 40; from 0.22 on some are"),
        (0.2, {}, "none of the last 10 of 50 steps is on the grid, which lasts until step 40; from 0.22 on some are"),
        # 0.58 x 50 is 28.999... in floating point.
        (0.5, dict(mode="paper", start=0.2, stop=0.44),
         "none of the last 25 of 50 steps is dilated, which lasts until step 22; from 0.581 on some are"),
        (0.5, dict(mode="paper", start=0.0, stop=0.005),
         "at width 256, height 256 none of 50 steps is dilated; stop must last longer"),
        (0.5, dict(grid_phases=[[0.9, 2.0]]),
         "at width 256, height 256 none of 50 steps is on the grid; grid_phases must last longer"),
    ],
)  # fmt: skip
def test_a_cascade_without_an_active_step(strength, changes, said):
    config = CONFIG.replace(**changes)
    with pytest.raises(ValueError, match=f"^{re.escape(f'cascade_strength={strength:g}: {said}')}$"):
        Cascade(strength).check_active(config, 256, 256, 50)
    Cascade(strength).check_active(config, 136, 136, 50)  # where it is sampled once
    if "from" in said:
        Cascade(float(said.split()[-4])).check_active(config, 256, 256, 50)


def test_what_it_does_in_words():
    assert sentence(Cascade(0.6), CONFIG, 256, 384, 25) == (
        "25 steps at width 160, height 104, sampled directly; enlarged as pixels; then the last 15 of 25 steps "
        "(strength 0.6) at width 384, height 256"
    )
    assert sentence(Cascade(), CONFIG, 128, 128, 25).startswith(
        "none, since the size is at most a tenth beyond"
    )


def test_enlarging_is_bicubic():
    ramp = torch.arange(8.0).expand(1, 4, 8, 8)
    wide = enlarged(ramp, (8, 16))
    assert torch.allclose(wide[0, 0, 4, 4:12], torch.arange(4, 12) / 2 - 0.25, atol=0.07)
    (image,) = enlarged([Image.new("RGB", (8, 16), "red")], (24, 40))
    assert image.size == (40, 24)
    assert image.getpixel((20, 12)) == (255, 0, 0)


def test_where_no_settings_are_chosen_it_is_fast():
    unet = dict(block_out_channels=[32, 64, 160], cross_attention_dim=128)
    usual = config_for_run(unet, None)
    assert config_for_run(unet, Cascade()) == usual.replace(mode="fast")
    assert config_for_run(unet, Cascade()).deep


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
