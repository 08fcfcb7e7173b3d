import dataclasses

import pytest
import torch
import yaml
from diffusers import UNet2DConditionModel

import fouriscale
from fouriscale import FouriScaleConfig, preset_names
from fouriscale.config import preset_notes, recognise_preset
from tests.tiny.golden import load_case

SD15 = FouriScaleConfig.preset("sd15")


def test_public_names_are_sorted_and_there():
    assert fouriscale.__all__ == sorted(fouriscale.__all__)
    for name in fouriscale.__all__:
        assert getattr(fouriscale, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fouriscale.nothing  # noqa: B018


def test_presets_hold_the_published_values():
    assert {"sd15", "sd21", "sdxl", "shapeworld"} <= set(preset_names())
    sdxl = FouriScaleConfig.preset("sdxl")
    assert len(sdxl.training_sizes) == 40
    assert (832, 1216) in sdxl.training_sizes
    assert (sdxl.floor, sdxl.weak_dilation_divisor, sdxl.start, sdxl.stop) == (0.6, 1.5, 0.4, 0.7)
    assert (SD15.floor, SD15.weak_dilation_divisor, SD15.start, SD15.stop) == (0.0, 1.0, None, None)
    assert SD15.training_sizes == ((512, 512),)
    assert SD15.unfiltered == ("*upsamplers*",)


@pytest.mark.parametrize("name", preset_names())
def test_presets_say_what_they_were_checked_with(name):
    notes = preset_notes(name)
    assert len(notes["description"]) > 20
    assert len(notes["checked_with"]) > 20


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SD15.stop = 0.5


@pytest.mark.parametrize("given", [(512, 512), [512, 512], [[512, 512]], ((512, 512),)])
def test_one_training_size_may_be_given_bare(given):
    assert FouriScaleConfig(training_sizes=given, layers=["mid_block.*"]).training_sizes == ((512, 512),)


def test_plain_values_make_the_same_config(tmp_path):
    config = FouriScaleConfig.preset("sdxl", stop=0.8)
    assert FouriScaleConfig.from_dict(config.to_dict()) == config
    file = tmp_path / "my.yaml"
    file.write_text(yaml.safe_dump(config.to_dict() | {"description": "mine"}))
    assert FouriScaleConfig.load(file) == config


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"start": 0.7, "stop": 0.3}, ValueError, "start=0.7, stop=0.3: start must lie before stop"),
        ({"start": 0.65}, ValueError, "start=0.65, stop=0.6"),
        ({"stop": 1.5}, ValueError, "stop=1.5: must be from 0 to 1"),
        ({"floor": -0.1}, ValueError, "floor=-0.1"),
        ({"floor": float("nan")}, ValueError, "floor=nan"),
        ({"weak_dilation_divisor": 0.5}, ValueError, "weak_dilation_divisor=0.5: must be at least 1"),
        ({"early_guidance": 0}, ValueError, "early_guidance=0"),
        ({"anneal": "yes"}, TypeError, "anneal='yes': must be true or false"),
        ({"stop": "late"}, TypeError, "stop='late': must be a number"),
        ({"layers": "mid_block.*"}, TypeError, "layers='mid_block"),
        ({"layers": []}, ValueError, "layers="),
        ({"training_sizes": (0, 512)}, ValueError, "training_sizes="),
        ({"training_sizes": []}, ValueError, "training_sizes="),
        ({"dilation": 2}, ValueError, "unknown setting 'dilation'; settings are training_sizes, layers"),
    ],
)
def test_bad_settings_get_one_sentence(changes, error, sentence):
    with pytest.raises(error) as caught:
        FouriScaleConfig.preset("sd15", **changes)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_files_get_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"unknown preset 'sd16'; presets are sd15, sd21"):
        FouriScaleConfig.preset("sd16")
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read"):
        FouriScaleConfig.load(tmp_path / "none.yaml")
    for text, sentence in (
        ("- a list", "must hold settings"),
        ("{", "cannot be read as YAML"),
        ("layers: [a]\nfoo: 1\ntraining_sizes: [1, 1]", "unknown setting 'foo'"),
        ("layers: [a]", "training_sizes must be given"),
    ):
        (tmp_path / "bad.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"bad\.yaml") as caught:
            FouriScaleConfig.load(tmp_path / "bad.yaml")
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


def unet_like(**config):
    """A UNet with this config and no memory: only its config is read."""
    with torch.device("meta"):
        return UNet2DConditionModel(**config)


def test_presets_are_recognised_from_the_config_alone():
    sd = {"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": 8}
    assert recognise_preset(unet_like(**sd, cross_attention_dim=768, sample_size=64)) == "sd15"
    assert recognise_preset(unet_like(**sd, cross_attention_dim=1024, sample_size=64)) == "sd21"
    assert recognise_preset(unet_like(**sd, cross_attention_dim=1024, sample_size=96)) == "sd21-768"
    sdxl = unet_like(
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2048,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    assert recognise_preset(sdxl) == "sdxl"
    _, _, unknown = load_case("xl_square_2x")
    with pytest.raises(
        ValueError, match=r"no preset fits a UNet with .* sd15, sd21, sd21-768, sdxl, shapeworld"
    ):
        recognise_preset(unknown)
