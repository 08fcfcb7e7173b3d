"""What a cascade can be set to, what it says of itself, and how its first picture is enlarged."""

import re

import pytest
import torch
from PIL import Image

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.sampling.cascade import Cascade, config_for_run, enlarged, first_size, sentence
from tests.fouriscale.sampling.test_cascade import CONFIG


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
    ("size", "multiple", "first"),
    [
        ((256, 256), 8, (128, 128)),
        ((256, 384), 8, (128, 192)),  # half as long again on one side
        ((384, 256), 8, (192, 128)),
        ((256, 512), 8, (88, 184)),  # twice as long: the area of 128 x 128
        ((256, 384), 16, (128, 192)),
        ((128, 192), 8, None),  # is its own first picture
        ((136, 136), 8, None),
    ],
)
def test_the_first_size_of_a_transformers_picture(size, multiple, first):
    assert first_size(PositionConfig((128, 128)), *size, multiple) == first


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
