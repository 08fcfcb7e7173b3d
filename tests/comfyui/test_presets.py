"""The preset that fits a model, by what ComfyUI says of the UNets that it knows."""

from types import SimpleNamespace

import pytest
from comfy.model_base import ModelType

from comfyui import presets

FOUR = dict(model_channels=320, channel_mult=[1, 2, 4, 4])
XL = dict(model_channels=320, channel_mult=[1, 2, 4], context_dim=2048, adm_in_channels=2816)
REFINER = dict(model_channels=384, channel_mult=[1, 2, 4, 4], context_dim=1280, adm_in_channels=2560)


def model(config, kind=ModelType.EPS):
    return SimpleNamespace(
        model=SimpleNamespace(model_config=SimpleNamespace(unet_config=config), model_type=kind)
    )


@pytest.mark.parametrize(
    ("config", "kind", "name"),
    [
        (FOUR | dict(context_dim=768, adm_in_channels=None), ModelType.EPS, "sd15"),
        (FOUR | dict(context_dim=1024, adm_in_channels=None), ModelType.EPS, "sd21"),
        (FOUR | dict(context_dim=1024, adm_in_channels=None), ModelType.V_PREDICTION, "sd21-768"),
        (XL, ModelType.EPS, "sdxl"),
        (XL, ModelType.V_PREDICTION, "sdxl"),
        (REFINER, ModelType.EPS, "sdxl"),
    ],
)
def test_automatic(config, kind, name):
    assert presets.preset_for(model(config, kind), "automatic") == name
    assert presets.preset_for(model({}), name) == name


def test_what_fits_no_preset_is_refused():
    unknown = model(FOUR | dict(context_dim=512))
    with pytest.raises(
        ValueError, match=r"block_out_channels=\[320, 640, 1280, 1280\] and cross_attention_dim=512"
    ):
        presets.preset_for(unknown, "automatic")
    with pytest.raises(ValueError, match="preset='flux': must be one of automatic, sd15"):
        presets.preset_for(unknown, "flux")
