"""Settings for UNets and for transformers, told apart by what a file or a recipe says, and refused for the other."""

import pytest
from diffusers import FluxTransformer2DModel

from fouriscale import FouriScaleConfig, PositionConfig, preset_names
from fouriscale.config_kinds import check_kind, config_of, named_config
from fouriscale.hooks.rotary_families import FAMILIES
from fouriscale.loading.configs import denoiser_config
from fouriscale.loading.names import TRANSFORMER_CLASSES
from fouriscale.presets import preset_file, read_yaml
from fouriscale.recognise import config_for, recognise_preset

POSITIONS = PositionConfig((1024, 1024), rule="ntk", temperature=1.1)


def test_plain_values_say_for_which_denoiser_they_are():
    assert POSITIONS.to_dict() == {
        "denoiser": "transformer",
        "training_sizes": [[1024, 1024]],
        "rule": "ntk",
        "dynamic": False,
        "axes": "one",
        "temperature": 1.1,
        "shift": "training",
    }
    assert config_of(POSITIONS.to_dict()) == POSITIONS == POSITIONS.resolved()
    sd = FouriScaleConfig.preset("sd15")
    assert "denoiser" not in sd.to_dict()
    assert config_of(sd.to_dict()) == sd == config_of({"denoiser": "unet"} | sd.to_dict())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("denoiser: vae\ntraining_sizes: [8, 8]", "denoiser='vae': must be one of unet, transformer"),
        ("denoiser: [unet]\ntraining_sizes: [8, 8]", r"denoiser=\['unet'\]: must be one of unet"),
        ("denoiser: transformer\nrule: ntk", "training_sizes must be given"),
        (
            "denoiser: transformer\ntraining_sizes: [8, 8]\nmode: fast",
            "mode='fast': is no setting of a transformer, which has no convolutions to dilate; its settings are "
            "training_sizes, rule, dynamic, axes, temperature, shift, wrap$",
        ),
        (
            "training_sizes: [8, 8]\nlayers: [a]\nrule: ntk",
            "rule='ntk': is a setting of transformers, which their files say by `denoiser: transformer`; those of a "
            "UNet are training_sizes, layers",
        ),
    ],
)
def test_a_file_that_is_wrong(tmp_path, text, sentence):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"my\.yaml: {sentence}") as refused:
        named_config(str(tmp_path / "my.yaml"))
    assert str(refused.value).count("my.yaml") == 1


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "my.yaml").write_text("denoiser: transformer\ntraining_sizes: [512, 768]\naxes: each\n")
    config = named_config(str(tmp_path / "my.yaml"), shift=2)
    assert config == PositionConfig((512, 768), axes="each", shift=2.0)


def test_presets_belong_to_one_kind():
    unets, transformers = preset_names("unet"), preset_names("transformer")
    assert sorted(unets + transformers) == preset_names()
    assert {"sd15", "sdxl", "shapeworld"} <= set(unets)
    assert {"flux", "qwen-image", "shapeworld-joint"} <= set(transformers)
    assert isinstance(named_config("flux"), PositionConfig)
    with pytest.raises(
        ValueError, match=r"flux\.yaml: denoiser='transformer': a FouriScaleConfig is for a unet; the"
    ):
        FouriScaleConfig.preset("flux")
    with pytest.raises(
        ValueError, match=r"sd15\.yaml: denoiser='unet': a PositionConfig is for a transformer; the"
    ):
        PositionConfig.preset("sd15")


def test_settings_for_the_other_kind_are_refused_with_the_presets_that_fit():
    check_kind(POSITIONS, "transformer", "shapeworld/joint")
    with pytest.raises(
        ValueError,
        match=r"^these settings are for a transformer, and shapeworld/unet has a unet; the presets .* sd15",
    ):
        check_kind(POSITIONS, "unet", "shapeworld/unet")


def families():
    """{class that a preset is made for: presets}."""
    classes = {}
    for name in preset_names("transformer"):
        classes.setdefault(read_yaml(preset_file(name))["recognise"]["class"], []).append(name)
    return classes


def test_every_transformer_that_is_known_has_a_preset_and_is_known_by_name():
    assert set(families()) == set(FAMILIES) == set(TRANSFORMER_CLASSES)


@pytest.mark.parametrize("kind", sorted(families()))
def test_a_transformer_is_recognised_by_its_class(kind):
    (name,) = [name for name in families()[kind] if name != "shapeworld-joint"]
    assert recognise_preset({"_class_name": kind}) == name
    assert config_for({"_class_name": kind}) == PositionConfig.preset(name)


def test_our_own_are_told_from_others_of_their_architecture():
    for model in ("joint", "joint-masked", "joint-registers"):
        assert recognise_preset(denoiser_config(f"shapeworld/{model}")) == "shapeworld-joint"
    ours = PositionConfig.preset("shapeworld-joint")
    assert (ours.rule, ours.dynamic, ours.temperature, ours.axes) == ("interpolate", False, "yarn", "one")
    tiny = dict(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=1
    )
    other = FluxTransformer2DModel(
        **tiny, joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(4, 6, 6)
    )
    assert recognise_preset(other) == "flux"


def test_a_transformer_that_no_preset_is_for():
    with pytest.raises(
        ValueError,
        match=r"^no preset fits a PixArtTransformer2DModel: those for transformers are .*Flux.*; give a PositionC",
    ):
        config_for({"_class_name": "PixArtTransformer2DModel"})


@pytest.mark.parametrize(
    ("recognise", "sentence"),
    [
        (
            "{class: FluxTransformer2DModel, in_channel: 16}",
            "'in_channel' is no key of a FluxTransformer2DModel's",
        ),
        ("{class: 3}", "class=3: must be a name, such as FluxTransformer2DModel"),
    ],
)
def test_a_malformed_preset_is_left_out(tmp_path, monkeypatch, recognise, sentence):
    bad = tmp_path / "bad.yaml"
    bad.write_text(f"denoiser: transformer\ntraining_sizes: [8, 8]\nrecognise: {recognise}")
    monkeypatch.setattr("fouriscale.presets.presets_folder", lambda: tmp_path)
    with (
        pytest.warns(UserWarning, match=rf"bad\.yaml: recognise: {sentence}.*; this preset is left out$"),
        pytest.raises(ValueError, match="no preset fits"),
    ):
        recognise_preset({"_class_name": "FluxTransformer2DModel"})
