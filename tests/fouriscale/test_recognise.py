"""Which preset a UNet gets, and which layers, from its config alone."""

import fnmatch
import shutil

import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from fouriscale import FouriScaleConfig, apply_fouriscale, preset_names, remove_fouriscale
from fouriscale.hooks.patch import current_state
from fouriscale.loading.configs import unet_config
from fouriscale.maths.layers import derive_layers
from fouriscale.presets import presets_folder
from fouriscale.recognise import config_for, recognise_preset
from picturelab.remarks import Remark
from tests.tiny.golden import load_case

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


@pytest.fixture
def presets(tmp_path, monkeypatch):
    """A folder of presets of one's own: those of the package, and what a test writes beside them."""
    folder = shutil.copytree(presets_folder(), tmp_path / "presets")
    monkeypatch.setattr("fouriscale.presets.presets_folder", lambda: folder)
    return folder


NEW_FAMILY = """
description: A family that nobody has heard of.
checked_with: Nothing.
recognise:
  block_out_channels: [[8, 16, 24], [8, 16]]
  cross_attention_dim: [12, 20]
  norm_num_groups: 4
training_sizes: [64, 64]
layers: [mid_block.resnets.*, up_blocks.0.*]
stop: 0.9
"""


def new_family(**changes):
    """A tiny random UNet of that family."""
    torch.manual_seed(0)
    shape = dict(
        block_out_channels=(8, 16, 24), norm_num_groups=4, layers_per_block=1, cross_attention_dim=12,
        attention_head_dim=4, sample_size=8, **blocks([True] * 3),
    )  # fmt: skip
    return UNet2DConditionModel(**shape | changes).eval()


def test_a_family_is_added_by_one_file(presets):
    unet, scheduler = new_family(), DDIMScheduler()
    with pytest.raises(ValueError, match=r"no preset fits a UNet with block_out_channels=\(8, 16, 24\)"):
        apply_fouriscale(unet, scheduler=scheduler)
    (presets / "unheard.yaml").write_text(NEW_FAMILY)
    assert "unheard" in preset_names()
    scheduler.set_timesteps(10)
    sample = torch.randn(1, 4, 16, 16).repeat(2, 1, 1, 1)  # 128 x 128 pixels, twice the training size
    arguments = sample, scheduler.timesteps[0], torch.randn(2, 5, 12)
    with torch.no_grad():
        direct = unet(*arguments).sample
        apply_fouriscale(unet, scheduler=scheduler)
        assert current_state(unet).config == FouriScaleConfig.preset("unheard")
        assert current_state(unet).config.stop == 0.9
        scaled = unet(*arguments).sample
        assert current_state(unet).dilation == 2
        assert not torch.allclose(scaled, direct, atol=1e-3)
        remove_fouriscale(unet)
        assert torch.equal(unet(*arguments).sample, direct)


def test_layers_are_the_files_for_its_first_shape_and_derived_for_others(presets):
    (presets / "unheard.yaml").write_text(NEW_FAMILY)
    pruned = new_family(block_out_channels=(8, 16), **blocks([True] * 2))
    assert recognise_preset(pruned) == "unheard"
    assert config_for(pruned).layers == derive_layers(pruned.config)
    assert config_for(new_family(cross_attention_dim=20)).layers == ("mid_block.resnets.*", "up_blocks.0.*")


def test_of_two_presets_that_fit_the_one_that_names_more_is_taken(presets):
    (presets / "unheard.yaml").write_text(NEW_FAMILY)
    (presets / "a-coarser.yaml").write_text(NEW_FAMILY.replace("  norm_num_groups: 4\n", ""))
    assert recognise_preset(new_family()) == "unheard"
    (presets / "unheard.yaml").write_text(NEW_FAMILY.replace("recognise:", "recognise:\n  sample_size: 9"))
    assert recognise_preset(new_family()) == "a-coarser"
    (presets / "a-coarser.yaml").unlink()
    with pytest.raises(ValueError, match="no preset fits"):
        recognise_preset(new_family())


def test_a_preset_that_does_not_say_so_is_not_for_unets_that_are_told_sizes():
    sized = {**unet_config("sd15"), "addition_embed_type": "text_time"}
    with pytest.raises(ValueError, match="no preset fits"):
        recognise_preset(sized)


@pytest.mark.parametrize(
    ("recognise", "sentence"),
    [
        ("[1]", r"recognise=\[1\]: must hold 'key: value' lines"),
        ("{block_out_channel: [8]}", "recognise: 'block_out_channel' is no key of a UNet2DConditionModel's"),
        ("{cross_attention_dim: 12}", "recognise: block_out_channels=None: must be a list such as"),
        ("{block_out_channels: []}", r"recognise: block_out_channels=\[\]: must be a list such as"),
        ("{block_out_channels: [[8], 8]}", r"recognise: block_out_channels=\[\[8\], 8\]: must be a list"),
        ("{block_out_channels: eight}", "recognise: block_out_channels='eight': must be a list"),
    ],
)
def test_a_malformed_entry_gets_one_sentence_and_the_others_are_recognised(presets, recognise, sentence):
    (presets / "bad.yaml").write_text(f"training_sizes: [8, 8]\nlayers: [a]\nrecognise: {recognise}")
    with pytest.warns(Remark, match=rf"bad\.yaml: {sentence}.*; this preset is left out$") as caught:
        assert recognise_preset(unet_config("sd15")) == "sd15"
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)
    assert FouriScaleConfig.preset("bad").layers == ("a",)  # who names it need not be recognised


@pytest.mark.parametrize("content", ["a: [", "just words", "- 1"])
def test_a_preset_that_is_no_mapping_is_left_out(presets, content):
    (presets / "bad.yaml").write_text(content)
    with pytest.warns(Remark, match=r"bad\.yaml(:| is no YAML) .*; this preset is left out$"):
        assert recognise_preset(unet_config("sd15")) == "sd15"


def test_what_a_config_leaves_out_is_as_usual():
    assert recognise_preset({"cross_attention_dim": 768}) == "sd15"


def test_presets_are_recognised_from_the_config_alone():
    sd = {"block_out_channels": (320, 640, 1280, 1280), "attention_head_dim": 8}
    assert recognise_preset(meta(dict(**sd, cross_attention_dim=768, sample_size=64))) == "sd15"
    assert recognise_preset(meta(dict(**sd, cross_attention_dim=1024, sample_size=64))) == "sd21"
    assert recognise_preset(meta(dict(**sd, cross_attention_dim=1024, sample_size=96))) == "sd21-768"
    sdxl = meta(
        dict(
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=2048,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        )
    )
    assert recognise_preset(sdxl) == "sdxl"
    _, _, unknown = load_case("xl_square_2x")
    with pytest.raises(
        ValueError, match=r"no preset fits a UNet with .* sd15, sd21, sd21-768, sdxl, shapeworld"
    ):
        recognise_preset(unknown)
