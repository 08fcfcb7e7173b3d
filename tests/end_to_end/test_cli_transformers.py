"""The command line with a transformer of ours: a picture, its recipe, the plan, a validation, and what is refused."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fouriscale.cli import main
from fouriscale.sampling.recipe import read
from tests.tiny import lora_files

MODEL = "shapeworld/joint-masked"
QUICK = ["--size", "160x144", "--steps", "1", "--device", "cpu"]


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.fixture
def generate(run):
    return lambda *arguments: run("generate", "a large red circle", "--model", MODEL, *QUICK, *arguments)


@pytest.mark.slow
def test_a_comparison_its_recipe_and_the_same_again(generate, run):
    code, out, err = generate(
        "--compare", "--rule", "ntk", "--dynamic", "--axes", "each", "--temperature", "1.1", "--shift", "2",
        "--out", "a.png",
    )  # fmt: skip
    assert (code, out) == (0, "width 160, height 144, seed 0, 1 steps, guidance 3: a.png\n")
    assert "dilation" not in err
    recipe = read("a.png")
    assert recipe["config"] == {
        "denoiser": "transformer",
        "training_sizes": [[128, 128]],
        "rule": "ntk",
        "dynamic": True,
        "axes": "each",
        "temperature": 1.1,
        "shift": 2.0,
    }
    assert run("remake", "a.png", "--out", "b.png")[0] == 0
    pictures = [np.asarray(Image.open(name)) for name in ("a.png", "b.png")]
    assert (pictures[0] == pictures[1]).all()
    assert read("b.png") == recipe


@pytest.mark.slow
def test_a_cascade_and_the_same_again(generate, run):
    code, out, err = generate("--cascade", "--cascade-strength", "0.3", "--out", "a.png")
    said = "width 160, height 144, seed 0, 1 steps, guidance 3, a cascade of strength 0.3: a.png\n"
    assert (code, out) == (0, said)
    assert "step 2/2" in err
    assert read("a.png")["cascade"] == {"strength": 0.3, "upsampling": "pixels", "vae_tiling": False}
    assert run("remake", "a.png", "--out", "b.png")[0] == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_what_a_cascade_would_do(run):
    code, out, _ = run("explain", "--model", MODEL, "--size", "256x256", "--steps", "15", "--cascade")
    assert code == 0
    # The last 8 of 15 steps of 1,024 tokens, and 15 of 256.
    assert (
        "cascade: 15 steps at width 128, height 128, sampled directly; enlarged as pixels; then the last 8 of 15 steps "
        "(strength 0.5) at width 256, height 256; both parts together take 0."
    ) in out.replace("\n", " ")
    code, out, _ = run("explain", "--model", "flux", "--size", "4096x4096", "--memory", "80")
    assert code == 0
    assert "fit: yes; 80 GiB asked for" in out
    assert "s for 28 steps on an H100 80 GB in bfloat16; computed by multiply-adds" in out.replace("\n", " ")
    assert (
        "pipe = DiffusionPipeline.from_pretrained('black-forest-labs/FLUX.1-dev', dtype=torch.bfloat16)"
        in out
    )
    code, out, err = run("explain", "--model", "flux", "--size", "4096x4096", "--measure")
    assert (code, out) == (2, "")
    assert err.startswith("Error: --measure: a step is timed with UNets only, and flux has a transformer")
    code, out, err = run("explain", "--model", "flux2", "--size", "2048x2048", "--cascade")
    assert (code, out) == (2, "")
    assert err.startswith(
        "Error: Flux2Pipeline draws from a prompt alone: diffusers has no image-to-image pipeline"
    )


@pytest.mark.slow
def test_a_validation(run):
    Path("prompts.txt").write_text("a large red circle on a blue background\n")
    code, out, _ = run(
        "validate", "--model", MODEL, "--out", "report", "--prompts", "prompts.txt", "--scale", "1.25",
        "--steps", "1", "--device", "cpu",
    )  # fmt: skip
    assert code == 0
    assert out.startswith("width 160, height 160: FouriScale took ")
    report = json.loads(Path("report/report.json").read_text())
    assert report["settings"]["config"]["rule"] == "interpolate"
    assert [image["method"] for image in report["images"]] == ["direct", "FouriScale"]
    assert all(image["speckle"] >= 0 for image in report["images"])
    assert Path("report/report.html").read_text().count("data:image/webp") == 6  # whole, middle, flattest


SETTINGS = "its settings are training_sizes, rule, dynamic, axes, temperature, shift"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--mode", "fast"],
            f"mode='fast': is no setting of a transformer, which has no convolutions to dilate; {SETTINGS}",
        ),
        (["--rule", "stretch"], "rule='stretch': must be one of interpolate, ntk, yarn"),
        (["--temperature", "hot"], "temperature='hot': must be one of none, yarn, proportional or a number"),
        (["--temperature", "nan"], "temperature=nan: must be from 0.5 to 2"),
        (["--axes", "both"], "axes='both': must be one of one, each"),
        (["--shift", "99"], "shift=99.0: must be from -10 to 20"),
        (
            ["--cascade", "--cascade-upsampling", "latents"],
            "cascade_upsampling='latents': a transformer's image to image starts from pictures only; enlarge pixels",
        ),
        (
            ["--lora", "style.safetensors"],
            "lora=style.safetensors: a transformer's pictures are made without one here; in Python, apply_fouriscale "
            "takes a pipeline with LoRAs",
        ),
        (
            ["--preset", "sd15"],
            f"these settings are for a unet, and {MODEL} has a transformer; the presets for those are",
        ),
    ],
)
def test_what_a_transformer_does_not_take_is_one_sentence(generate, arguments, sentence):
    lora_files.write("style.safetensors", lora_files.kohya("lora_unet_mid", 2, 4))
    code, out, err = generate("--steps", "2", "--out", "b.png", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert err.count("\n") == 1
    assert not Path("b.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [["explain", "--size", "256x256"], ["generate", "a red circle", "--size", "256x256"]],
)
def test_settings_of_transformers_are_refused_for_a_unet(run, arguments):
    code, _, err = run(*arguments, "--rule", "ntk")
    assert code == 2
    assert err.startswith(
        "Error: rule='ntk': is a setting of transformers, which their files say by `denoiser: transf"
    )
    code, _, err = run(*arguments, "--preset", "flux")
    assert code == 2
    assert err.startswith(
        "Error: these settings are for a transformer, and shapeworld/unet has a unet; the presets"
    )
