"""ControlNets as people find them: used right, or one sentence that says what the folder is."""

import json
import shutil

import pytest
import torch
from diffusers import ControlNetModel

from fouriscale.sampling import controlnets
from tests.tiny import unet_pipelines


@pytest.fixture(scope="module")
def pipe():
    return unet_pipelines.pipeline("SD")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of ControlNets, by what they were made for."""
    folder = tmp_path_factory.mktemp("nets")
    for family in unet_pipelines.FAMILIES:
        unet_pipelines.controlnet(family).save_pretrained(folder / family)
    return folder


@pytest.fixture
def net(saved, tmp_path):
    """A copy of the ControlNet for the tiny model whose config.json is changed."""

    def copy(**changes):
        folder = shutil.copytree(saved / "SD", tmp_path / "net=1@2")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
        return folder

    return copy


def test_it_is_loaded_for_the_pipeline(pipe, net):
    folder = net()
    controlnets.check(str(folder))
    assert isinstance(controlnets.load(str(folder), pipe), ControlNetModel)


def test_half_precision_files_only(pipe, net):
    folder = net()
    file = folder / "diffusion_pytorch_model.safetensors"
    file.rename(folder / "diffusion_pytorch_model.fp16.safetensors")
    assert controlnets.load(str(folder), pipe).dtype == torch.float32


@pytest.mark.parametrize(
    "kind",
    [
        "ControlNetUnionModel", "ControlNetXSAdapter", "UNet2DConditionModel", "AutoencoderKL", "T2IAdapter",
        "FluxControlNetModel", "SD3ControlNetModel", "MultiControlNetModel",
    ],
)  # fmt: skip
def test_another_class_is_named(net, kind):
    folder = net(_class_name=kind)
    with pytest.raises(
        ValueError, match=rf"net=1@2': its config.json says that it is a {kind}: must be a ControlNetModel$"
    ):
        controlnets.check(str(folder))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "has a config.json that cannot be read"),
        ("[1]", r"has a config.json that cannot be read \(it is no JSON object\)"),
        ('"ControlNetModel"', r"has a config.json that cannot be read \(it is no JSON object\)"),
        ("[" * 100_000, r"has a config.json that cannot be read \(it is nested too deeply\)"),
        ("{}", "its config.json does not say what it is: must be a ControlNetModel"),
        ('{"architectures": 5}', "its config.json does not say what it is: must be a ControlNetModel"),
        ('{"architectures": ["CLIPTextModel"]}', "its config.json says that it is a CLIPTextModel"),
    ],
)
def test_a_config_that_is_none(net, content, sentence):
    folder = net()
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        controlnets.check(str(folder))
    assert "\n" not in str(caught.value)


def test_what_is_no_folder_of_a_controlnet(tmp_path, saved, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "model_index.json").write_text("{}")
    (tmp_path / "owner" / "name").mkdir(parents=True)  # a hub id's form, and here
    shutil.copy(
        saved / "SD" / "diffusion_pytorch_model.safetensors", tmp_path / "owner" / "canny.safetensors"
    )
    for name, end in {
        "whole": "; it is a whole pipeline's folder$",
        "owner/name": "or a hub id such as owner/name$",
        "owner/canny.safetensors": "; it is a single file, a ControlNet$",
        "owner/none.safetensors": "or a hub id such as owner/name$",
        "nowhere": "or a hub id such as owner/name$",
        "n" * 5000: "or a hub id such as owner/name$",
    }.items():
        with pytest.raises(ValueError, match=f"^control '{name}': must be a ControlNet's folder.*{end}"):
            controlnets.check(name)
    controlnets.check("owner/unknown")  # on the hub, perhaps


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cross_attention_dim": 2048}, "its cross_attention_dim is 2048, the UNet's 32$"),
        ({"block_out_channels": [8, 24]}, r"its block_out_channels is \(8, 24\), the UNet's \(8, 16\)$"),
        ({"layers_per_block": 2}, "its layers_per_block is 2, the UNet's 1$"),
        ({"in_channels": 16}, "its in_channels is 16, the VAE's latents have 4$"),
        ({"cross_attention_dim": None}, "its cross_attention_dim is None, the UNet's 32$"),
        ({"conditioning_channels": 1}, "its conditioning_channels is 1, a picture has 3$"),
    ],
)
def test_another_base_is_told_in_numbers(pipe, net, changes, sentence):
    folder = net(**changes)
    controlnets.check(str(folder))
    with pytest.raises(ValueError, match=rf"net=1@2' is for another model: {sentence}"):
        controlnets.load(str(folder), pipe)


def test_sdxls_is_not_for_stable_diffusion_and_the_other_way_round(pipe, saved):
    with pytest.raises(
        ValueError, match="its addition_embed_type is text_time, the UNet's None; its projection_"
    ):
        controlnets.load(str(saved / "XL"), pipe)
    with pytest.raises(ValueError, match="its addition_embed_type is None, the UNet's text_time"):
        controlnets.load(str(saved / "SD"), unet_pipelines.pipeline("XL"))


@pytest.mark.parametrize("changes", [{"norm_num_groups": 0}, {"down_block_types": ["NoSuchBlock"] * 2}])
def test_a_config_that_makes_no_model(pipe, net, changes):
    with pytest.raises(ValueError, match=r"net=1@2' cannot be loaded \(.+\)$"):
        controlnets.load(str(net(**changes)), pipe)


def test_weights_that_are_cut_off_or_incomplete(pipe, net):
    folder = net()
    file = folder / "diffusion_pytorch_model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"net=1@2' cannot be loaded \(.+\)$") as caught:
        controlnets.load(str(folder), pipe)
    assert "\n" not in str(caught.value)
    file.unlink()
    with pytest.raises(ValueError, match=r"net=1@2' cannot be loaded \(.+\)$"):
        controlnets.load(str(folder), pipe)


def test_tensors_that_are_missing(pipe, net):
    from safetensors.torch import load_file, save_file

    file = net() / "diffusion_pytorch_model.safetensors"
    save_file({k: v for k, v in load_file(file).items() if k != "conv_in.bias"}, file)
    with pytest.raises(
        ValueError, match=r"net=1@2' (is incomplete: 1 tensors|cannot be loaded .*conv_in.bias)"
    ):
        controlnets.load(str(file.parent), pipe)


def test_a_hub_id_that_cannot_be_had(pipe):
    with pytest.raises(ValueError, match=r"'owner/unknown'.* cannot be had from the hub") as caught:
        controlnets.load("owner/unknown", pipe)
    assert "\n" not in str(caught.value)
