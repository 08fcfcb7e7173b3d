"""Which preset a UNet gets, and which layers, from its config alone."""

import fnmatch

import pytest
import torch
from diffusers import UNet2DConditionModel

from fouriscale import FouriScaleConfig
from fouriscale.config import config_for, recognise_preset
from fouriscale.loading.configs import unet_config
from fouriscale.maths.layers import derive_layers

DOWN, UP = ("CrossAttnDownBlock2D", "DownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")


def blocks(attention):
    """Block types of a UNet whose level i has attention where `attention[i]`."""
    return dict(
        down_block_types=tuple(DOWN[not here] for here in attention),
        up_block_types=tuple(UP[not here] for here in reversed(attention)),
    )


SD = dict(
    block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8, cross_attention_dim=768, sample_size=64
)
XL = dict(
    block_out_channels=(320, 640, 1280),
    attention_head_dim=(5, 10, 20),
    cross_attention_dim=2048,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
    sample_size=128,
    use_linear_projection=True,
    **blocks([False, True, True]),
)
# Shapes of published models. Pruned ones leave out layers, the mid block or a whole level.
SHAPES = {
    "SSD-1B": (XL | dict(transformer_layers_per_block=(1, 2, 4)), "sdxl"),
    "Segmind Vega": (XL | dict(transformer_layers_per_block=(1, 1, 2), mid_block_type=None), "sdxl"),
    "SDXL refiner": (
        XL
        | dict(
            block_out_channels=(384, 768, 1536, 1536),
            attention_head_dim=(6, 12, 24, 24),
            cross_attention_dim=1280,
            projection_class_embeddings_input_dim=2560,
            **blocks([False, True, True, False]),
        ),
        "sdxl",
    ),
    "BK-SDM-Base": (SD | dict(layers_per_block=1), "sd15"),
    "BK-SDM-Small": (SD | dict(layers_per_block=1, mid_block_type=None), "sd15"),
    "tiny-sd, BK-SDM-Tiny": (
        SD
        | dict(
            block_out_channels=(320, 640, 1280), layers_per_block=1, mid_block_type=None, **blocks([True] * 3)
        ),
        "sd15",
    ),
}
PUBLISHED = {"sd15": "sd15", "sd21": "sd21", "sd21-768": "sd21-768", "sdxl": "sdxl"}


def convolutions(unet, patterns):
    """Names of the convolutions with a kernel larger than 1 under the patterns."""
    names = [n for n, m in unet.named_modules() if isinstance(m, torch.nn.Conv2d) and max(m.kernel_size) > 1]
    return {n for n in names if any(fnmatch.fnmatch(n, f"{p}.*") or fnmatch.fnmatch(n, p) for p in patterns)}


def meta(config):
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config)


@pytest.mark.parametrize("preset", ["sd15", "sd21", "sd21-768"])
def test_the_rule_gives_the_published_list_of_sd(preset):
    config = unet_config(preset)
    unet = meta(config)
    published = convolutions(unet, FouriScaleConfig.preset(preset).layers)
    assert len(published) == 34
    assert convolutions(unet, derive_layers(config)) == published


def test_the_rule_gives_the_published_list_of_sdxl_and_one_upsampler():
    config = unet_config("sdxl")
    unet = meta(config)
    published = convolutions(unet, FouriScaleConfig.preset("sdxl").layers)
    assert convolutions(unet, derive_layers(config)) - published == {"up_blocks.1.upsamplers.0.conv"}
    assert published <= convolutions(unet, derive_layers(config))


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_models_get_their_preset(preset):
    assert config_for(unet_config(preset)) == FouriScaleConfig.preset(preset)


@pytest.mark.parametrize("name", SHAPES)
def test_distilled_and_pruned_models(name):
    """Each pattern matches, nothing above a quarter of the latent's side is touched, nor the last up block."""
    changes, preset = SHAPES[name]
    unet = meta(changes)
    assert recognise_preset(unet) == recognise_preset(dict(unet.config)) == preset
    config = config_for(unet)
    assert config.training_sizes == FouriScaleConfig.preset(preset).training_sizes
    last = len(unet.up_blocks) - 1
    for pattern in config.layers:
        assert convolutions(unet, [pattern]), pattern
    listed = convolutions(unet, config.layers)
    assert not [n for n in listed if n.startswith(("down_blocks.0", "down_blocks.1", f"up_blocks.{last}"))]
    wanted = {n.split(".resnets")[0] for n in listed if ".resnets" in n}
    middle = {"mid_block"} if unet.mid_block is not None else set()
    down = {f"down_blocks.{i}" for i in range(2, len(unet.down_blocks))}
    assert wanted == down | middle | {f"up_blocks.{i}" for i in range(last)}


def test_unknown_shapes_are_refused():
    for changes in ({"cross_attention_dim": 640}, {"block_out_channels": (320, 640)}):
        with pytest.raises(ValueError, match=r"no preset fits a UNet with .*sd15, sd21, sd21-768, sdxl"):
            recognise_preset(SD | changes)
