"""Pictures, masks, ControlNets, LoRAs and samplers on the command line, each remade from its recipe."""

import functools
import os
import shutil

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image, ImageDraw

from fouriscale import FouriScaleConfig
from fouriscale.cli import main
from fouriscale.loading.pipeline import load_pipeline
from fouriscale.sampling.generate import generate as make
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.recipe import read
from picturelab.notation import Weighted
from tests.tiny import lora_files


@pytest.fixture(scope="module")
def extras(tiny_model, tmp_path_factory):
    """A picture, a mask, a ControlNet and two LoRAs for the tiny model."""
    folder = tmp_path_factory.mktemp("extras")
    disc = Image.new("RGB", (192, 136), "navy")
    ImageDraw.Draw(disc).ellipse((40, 30, 110, 100), "orange")
    disc.save(folder / "disc.png")
    mask = Image.new("L", (192, 136), 0)
    mask.paste(255, (0, 0, 96, 136))
    mask.save(folder / "mask.png")
    torch.manual_seed(0)
    unet = load_pipeline(str(tiny_model), device="cpu").unet
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 4))
    for layer in [*net.controlnet_down_blocks, net.controlnet_cond_embedding.conv_out]:
        torch.nn.init.normal_(layer.weight, std=0.5)
    net.save_pretrained(folder / "net")
    for name, targets in (("style", ["to_q", "to_v", "conv1"]), ("other", ["to_k"])):
        adapted = load_pipeline(str(tiny_model), device="cpu").unet
        adapted.add_adapter(LoraConfig(r=2, target_modules=targets, init_lora_weights=False))
        StableDiffusionPipeline.save_lora_weights(
            folder, get_peft_model_state_dict(adapted), weight_name=f"{name}.safetensors"
        )
    return folder


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.fixture
def generate(run, tiny_model):
    return lambda *arguments: run(
        "generate", "a large red circle", "--model", tiny_model, "--steps", "3", "--device", "cpu", *arguments
    )


def pixels(path):
    return np.asarray(Image.open(path), dtype=int)


KINDS = {
    "picture": ["--image", "disc.png", "--strength", "0.9"],
    "inpainting": ["--image", "disc.png", "--mask", "mask.png"],
    "ControlNet": ["--control", "net=disc.png@0.7"],
    "ControlNet and picture": ["--control", "net=disc.png", "--image", "disc.png", "--strength", "0.7"],
    "two ControlNets, inpainting": [
        *("--control", "net=disc.png", "--control", "net=mask.png@0.5"),
        *("--image", "disc.png", "--mask", "mask.png"),
    ],
    "two LoRAs": ["--lora", "style.safetensors@0.8", "--lora", "other.safetensors"],
    "cascade, ControlNet and LoRA": [
        *("--cascade", "--cascade-strength", "0.5", "--cascade-upsampling", "latents", "--steps", "2"),
        *("--control", "net=disc.png", "--lora", "style.safetensors"),
    ],
    "sampler": ["--scheduler", "eulerancestraldiscrete", "--negative", "blue"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_made_and_remade(generate, run, extras, tmp_path, kind):
    for file in extras.iterdir():
        (tmp_path / file.name).symlink_to(file)
    code, _, err = generate(*KINDS[kind], "--size", "192x136", "--out", "a.png")
    assert code == 0, err
    generate("--size", "192x136", "--out", "plain.png")
    assert pixels("a.png").shape == (136, 192, 3)
    assert (pixels("a.png") != pixels("plain.png")).any()
    code, _, err = run("remake", "a.png", "--out", "b.png")
    assert code == 0, err
    assert (pixels("a.png") == pixels("b.png")).all()
    assert read("a.png") == read("b.png")


def test_the_recipe_holds_hashes_and_scales(generate, extras, tmp_path):
    for file in extras.iterdir():
        (tmp_path / file.name).symlink_to(file)
    generate(*KINDS["ControlNet"], *KINDS["two LoRAs"], "--size", "192x136", "--out", "a.png")
    recipe = read("a.png")["inputs"]
    assert [(lora["file"]["path"], lora["scale"]) for lora in recipe["loras"]] == [
        ("style.safetensors", 0.8),
        ("other.safetensors", 1.0),
    ]
    (control,) = recipe["controls"]
    assert (control["model"], control["scale"]) == ("net", 0.7)
    assert control["revision"].startswith("sha256:")
    assert len(control["picture"]["sha256"]) == 64


@pytest.mark.slow
def test_a_changed_file_is_not_remade(generate, run, extras, tmp_path):
    Image.open(extras / "disc.png").save(tmp_path / "mine.png")
    generate("--image", "mine.png", "--size", "192x136", "--out", "a.png")
    Image.new("RGB", (192, 136), "red").save(tmp_path / "mine.png")
    code, out, err = run("remake", "a.png", "--out", "b.png")
    assert (code, out) == (2, "")
    assert "mine.png has changed since" in err
    (tmp_path / "mine.png").unlink()
    assert "mine.png is not here" in run("remake", "a.png", "--out", "b.png")[2]
    assert not (tmp_path / "b.png").exists()


def test_a_cascade_is_said_where_there_was_one(generate):
    settings = ["--cascade", "--steps", "2", "--out", "a.png"]
    assert "guidance 7.5, a cascade of strength 0.5: a.png" in generate(*settings, "--size", "192x136")[1]
    code, out, err = generate(*settings, "--size", "128x64")
    assert (code, "cascade" in out) == (0, False)
    assert (
        "Warning: width 128, height 64 is at most a tenth beyond the training size: it is sampled once" in err
    )


def test_a_picture_gives_its_size(generate, extras):
    code, out, _ = generate("--image", extras / "disc.png", "--out", "a.png")
    assert code == 0
    assert out.startswith("width 192, height 136,")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--strength", "0.5"], "strength=0.5: needs a picture to start from, --image"),
        (["--mask", "mask.png"], "mask=mask.png: needs a picture to start from, --image"),
        (["--image", "none.png"], "none.png cannot be read"),
        (["--image", "text.png"], "text.png is not a picture"),
        (["--image", "disc.png", "--strength", "1.5"], "strength=1.5: must be above 0 and at most 1"),
        (["--cascade-strength", "0.5"], "cascade_strength=0.5: needs a cascade (--cascade"),
        (["--cascade", "--cascade-strength", "nan"], "cascade_strength=nan: must be above 0 and at most 1"),
        (
            ["--cascade", "--cascade-upsampling", "x"],
            "cascade_upsampling='x': must be one of pixels, latents",
        ),
        (
            ["--cascade", "--image", "disc.png"],
            "image=disc.png with a cascade, which makes a picture of its own",
        ),
        (
            ["--cascade", "--cascade-strength", "0.3"],
            "cascade_strength=0.3, steps=3: strength x steps must be",
        ),
        (
            ["--cascade", "--preset", "shapeworld", "--size", "192x136"],
            "cascade_strength=0.5: none of the last 1 of 3 steps is on the grid, which lasts until step 2; from 0.667",
        ),
        (["--control", "disc.png"], "'disc.png' is not understood: give MODEL=PICTURE"),
        (["--control", "nowhere=disc.png"], "'nowhere'"),
        (["--lora", "style.bin"], "lora 'style.bin': must be a .safetensors file"),
        (["--lora", "style.safetensors@much"], "'style.safetensors@much' is not understood"),
        (["--lora", "wide.safetensors"], "wide.safetensors is a LoRA of another model: its down_blocks.1."),
        (
            ["--lora", "cut.safetensors"],
            "cut.safetensors is not a readable safetensors file, or only the beg",
        ),
        (["--lora", "style.safetensors@1e9"], "scale=1000000000.0: must be a number from -100 to 100"),
        (
            ["--image", "disc.png", "--strength", "0.1"],
            "strength=0.1, steps=3: strength x steps must be at least 1",
        ),
        (["--image", "pipe"], "pipe cannot be read (it is a pipe or device, no file)"),
        (["--control", "union=disc.png"], "'union': its config.json says that it is a ControlNetUnionModel"),
        (["--scheduler", "euler9"], "scheduler 'euler9' does not fit this model; those that do are"),
    ],
)
def test_bad_input(generate, extras, tmp_path, arguments, sentence):
    for file in extras.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "text.png").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "union").mkdir()
    (tmp_path / "union" / "config.json").write_text('{"_class_name": "ControlNetUnionModel"}')
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    wide = lora_files.write(tmp_path / "wide.safetensors", lora_files.kohya(layer, 2048, 640))
    (tmp_path / "cut.safetensors").write_bytes(wide.read_bytes()[:200])
    code, out, err = generate(*arguments, "--out", "a.png")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_names_with_signs_of_ours(generate, extras, tmp_path):
    (tmp_path / "größe=1@net").symlink_to(extras / "net")
    shutil.copy(extras / "disc.png", tmp_path / "rand=2@3.png")
    shutil.copy(extras / "style.safetensors", tmp_path / "style=1@v2.safetensors")
    arguments = ["--control", "größe=1@net=rand=2@3.png@0.5", "--lora", "style=1@v2.safetensors@0.25"]
    code, _, err = generate(*arguments, "--size", "192x136", "--steps", "1", "--out", "a.png")
    assert code == 0, err
    inputs = read("a.png")["inputs"]
    assert [(c["model"], c["picture"]["path"], c["scale"]) for c in inputs["controls"]] == [
        ("größe=1@net", "rand=2@3.png", 0.5)
    ]
    assert [(lora["file"]["path"], lora["scale"]) for lora in inputs["loras"]] == [
        ("style=1@v2.safetensors", 0.25)
    ]


def test_a_prompt_that_is_cut_is_told_once(run, tiny_model):
    prompt = "a large red circle " * 10 + "left of a small green square"
    settings = ["--model", tiny_model, "--steps", "1", "--device", "cpu", "--size", "64x64", "--compare"]
    code, _, err = run("generate", prompt, *settings, "--negative", prompt, "--out", "a.png")
    assert code == 0
    warnings = [line for line in err.splitlines() if line.startswith("Warning:")]
    assert len(warnings) == 2
    for kind, warning in zip(("prompt", "negative prompt"), warnings, strict=True):
        assert f"text_encoder reads 24 tokens and cuts the {kind}'s end: '" in warning
        assert warning.endswith("left of a small green square'")


@pytest.mark.slow
def test_the_pipeline_is_left_as_it_was(tiny_model, extras):
    pipe = load_pipeline(str(tiny_model), device="cpu")
    pipe.set_progress_bar_config(disable=True)
    keys = list(pipe.unet.state_dict())
    settings = dict(height=136, width=192, steps=2, config=FouriScaleConfig.preset("shapeworld"))
    (before,) = make(pipe, "a red circle", **settings)
    made = make(
        pipe,
        ["a red circle", "a blue square"],
        seed=[0, 1],
        inputs=Inputs(
            image=extras / "disc.png",
            controls=((str(extras / "net"), extras / "disc.png", 1.0),),
            loras=(Weighted(str(extras / "style.safetensors"), 0.5),),
        ),
        **settings,
    )
    assert len(made) == 2
    (after,) = make(pipe, "a red circle", **settings)
    assert list(pipe.unet.state_dict()) == keys
    assert (np.asarray(before.image) == np.asarray(after.image)).all()
