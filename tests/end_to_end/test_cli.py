"""The command line as a person uses it: in a folder of its own, with a tiny untrained model."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fouriscale import preset_names
from fouriscale.cli import main
from fouriscale.sampling.recipe import Recipe, read, save

QUICK = ["--size", "192x136", "--steps", "2", "--device", "cpu"]


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.fixture
def generate(run, tiny_model):
    return lambda *arguments: run("generate", "a large red circle", "--model", tiny_model, *QUICK, *arguments)


def pixels(path):
    return np.asarray(Image.open(path))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_picture_and_its_recipe(generate, tiny_model, tmp_path):
    code, out, err = generate("--seed", "7", "--guidance", "3", "--negative", "blue")
    assert code == 0
    assert out == "width 192, height 136, seed 7, 2 steps, guidance 3: outputs/a-large-red-circle-7.png\n"
    assert "step 2/2, grid 1.26 times smaller" in err
    assert pixels("outputs/a-large-red-circle-7.png").shape == (136, 192, 3)
    recipe = Recipe.parse(read("outputs/a-large-red-circle-7.png"))
    assert (recipe.model, recipe.prompt, recipe.negative_prompt) == (
        str(tiny_model),
        "a large red circle",
        "blue",
    )
    assert (recipe.seed, recipe.steps, recipe.guidance, recipe.batch_size) == (7, 2, 3.0, 1)
    assert (recipe.height, recipe.width, recipe.threads) == (136, 192, torch.get_num_threads())
    assert recipe.config["training_sizes"] == [[128, 128]]
    assert files(tmp_path) == ["outputs", "outputs/a-large-red-circle-7.png"]


def test_size_defaults_to_twice_the_training_size(run, tiny_model):
    code, out, _ = run("generate", "a red circle", "--model", tiny_model, "--steps", "1", "--device", "cpu")
    assert code == 0
    assert out.startswith("width 256, height 256, seed 0, 1 steps")


@pytest.mark.slow
def test_a_mode(generate, run):
    assert generate("--mode", "fast")[0] == 0
    assert read("outputs/a-large-red-circle-0.png")["config"]["mode"] == "fast"
    before = pixels("outputs/a-large-red-circle-0.png")
    assert generate("--mode", "paper")[0] == 0
    assert not np.array_equal(pixels("outputs/a-large-red-circle-0.png"), before)
    code, out, _ = run("explain", "--mode", "fast", "--size", "256x256")
    assert code == 0
    assert "deep grid, self-attention to downsampled keys outside of it, without the third branch" in out
    assert run("explain", "--mode", "slow", "--size", "256x256")[::2] == (
        2,
        "Error: mode='slow': must be one of paper, fast, layerwise\n",
    )


def test_settings_of_ones_own(generate, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "training_sizes: [128, 128]\nlayers: [mid_block.resnets.*]\nstop: 1.0\n"
    )
    code, _, err = generate("--preset", "mine.yaml", "--out", "a.png", "--steps", "1")
    assert code == 0
    assert "dilation 1.00" not in err  # active to the end
    recipe = Recipe.parse(read("a.png"))
    assert recipe.config["layers"] == ["mid_block.resnets.*"]


def test_a_dtype_of_ones_own(generate):
    generate("--out", "a.png", "--dtype", "bfloat16", "--size", "64x64", "--steps", "1")
    assert read("a.png")["dtype"] == "bfloat16"


@pytest.mark.slow
def test_remade_pixels_are_equal_bit_for_bit(generate, run):
    generate("--out", "a.png")
    torch.set_num_threads(torch.get_num_threads() + 1)  # the recorded count is what counts
    code, out, err = run("remake", "a.png", "--out", "again/b.png")
    assert (code, out) == (0, "width 192, height 136, seed 0: again/b.png\n")
    assert "Warning" not in err
    assert (pixels("a.png") == pixels("again/b.png")).all()
    assert read("a.png") == read("again/b.png")


@pytest.mark.slow
def test_a_comparison_is_remade_too(generate, run):
    code, _, _ = generate("--compare", "--out", "a.png")
    assert code == 0
    run("remake", "a.png")
    assert pixels("a.png").shape[1] > 2 * 192
    assert (pixels("a.png") == pixels("outputs/a-remade.png")).all()


def test_remaking_elsewhere_warns(generate, run):
    generate("--out", "a.png")
    recipe = read("a.png")
    recipe["versions"]["torch"] = "1.0"
    recipe["revision"] = "sha256:another"
    save(Image.open("a.png"), "old.png", recipe)
    code, _, err = run("remake", "old.png", "--out", "b.png")
    assert code == 0
    assert f"Warning: versions differ, so pixels may too: torch {torch.__version__} (was 1.0)\n" in err
    assert "were sha256:another, so pixels will differ" in err
    assert read("b.png")["versions"]["torch"] == torch.__version__


def test_a_shipped_model_whose_weights_have_changed_is_refused(generate, run, tmp_path):
    generate("--out", "a.png")
    save(
        Image.open("a.png"),
        "old.png",
        read("a.png") | {"model": "shapeworld/unet", "revision": "sha256:another"},
    )
    code, out, err = run("remake", "old.png", "--out", "b.png")
    assert (code, out) == (2, "")
    assert "the weights of shapeworld/unet are sha256:" in err
    assert "and were sha256:another: the picture can be made again with the version that shipped those" in err
    assert not (tmp_path / "b.png").exists()


def test_show_prints_the_recipe(generate, run):
    generate("--out", "a.png")
    code, out, _ = run("show", "a.png")
    assert code == 0
    assert json.loads(out) == read("a.png")


def test_the_recipe_can_be_left_out(generate, run):
    generate("--no-recipe", "--out", "a.png")
    code, out, err = run("show", "a.png")
    assert (code, out) == (2, "")
    assert err == "Error: a.png carries no recipe; only pictures that fouriscale or padtone has written do\n"


def test_presets_are_listed(run):
    code, out, _ = run("presets")
    assert code == 0
    assert [line.partition(":")[0] for line in out.splitlines()[::2]] == preset_names()


def test_help_and_version_answer_without_torch():
    script = (
        "import sys; from fouriscale.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)\n"
    )
    for arguments, said in (
        (["--version"], "fouriscale-padtone 0.2.0"),
        (["generate", "--help"], "WIDTHxHEIGHT"),
    ):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == 0
        assert said in done.stdout
        assert done.stdout.endswith("False\n")


BAD_VALUES = [
    (["--size", "250x136"], "250", "width 248, height 136"),
    (["--size", "big"], "'big'", "384x256"),
    (["--size", "0x256"], "width 0", "width 8"),
    (["--seed", "x"], "'x'", "whole number"),
    (["--seed", "-1"], "seed=-1", "from 0"),
    (["--steps", "0"], "steps=0", "from 1"),
    (["--guidance", "nan"], "guidance=nan", "from 0"),
    (["--preset", "sd16"], "'sd16'", "sd15, sd21"),
    (["--preset", "absent.yaml"], "absent.yaml", "cannot be read"),
    (["--preset", "typo.yaml"], "'layer'", "layers"),
    (["--preset", "backwards.yaml"], "start=0.8, stop=0.4", "before"),
    (["--preset", "nothing.yaml"], "'nowhere.*'", "mid_block"),
    (["--device", "toaster"], "'toaster'", "cpu"),
    (["--dtype", "int8"], "'int8'", "float32"),
    (["--model", "no/such/folder"], "'no/such/folder'", "shapeworld/unet"),
    (["--model", "nobody/nothing"], "'nobody/nothing'", "shapeworld/unet"),
    (["--model", "flux"], "FluxPipeline", "FluxTransformer2DModel"),
    (["--model", "old.ckpt"], "'old.ckpt'", ".safetensors"),
    (["--out", "a.gif"], "a.gif", ".webp"),
    (["--out", "typo.yaml/a.png"], "typo.yaml/a.png", "another file or folder"),
    (["--colour", "red"], "--colour", "option"),
]


@pytest.fixture
def bad_files(tmp_path):
    config = "training_sizes: [128, 128]\nlayers: [mid_block.*]\n"
    (tmp_path / "typo.yaml").write_text(config + "layer: x\n")
    (tmp_path / "backwards.yaml").write_text(config + "start: 0.8\nstop: 0.4\n")
    (tmp_path / "nothing.yaml").write_text("training_sizes: [128, 128]\nlayers: [nowhere.*]\n")
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    (tmp_path / "text.png").write_text("hello")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")


def is_one_sentence(err, *parts):
    return err.startswith("Error: ") and err.count("\n") == 1 and all(part in err for part in parts)


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("arguments", "value", "remedy"), BAD_VALUES, ids=lambda x: "=".join(x) if isinstance(x, list) else ""
)
def test_bad_input_is_one_sentence_and_leaves_nothing(generate, tmp_path, arguments, value, remedy):
    before = files(tmp_path)
    code, out, err = generate(*arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, value, remedy), err
    assert files(tmp_path) == before


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "plain.png"], "plain.png carries no recipe"),
        (["show", "text.png"], "text.png is not a picture"),
        (["show", "absent.png"], "absent.png cannot be read"),
        (["remake", "plain.png", "--out", "b.png"], "plain.png carries no recipe"),
        (["remake", "plain.png", "--out", "text.png/b.png"], "text.png/b.png cannot be written"),
        (["demo", "--out", "text.png/b.png"], "text.png/b.png cannot be written"),
        (["paint"], "'paint'"),
    ],
)
def test_bad_input_to_the_other_commands(run, tmp_path, arguments, sentence):
    before = files(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, sentence), err
    assert files(tmp_path) == before


def test_a_recipe_of_a_device_that_is_not_here(generate, run):
    generate("--out", "a.png")
    save(Image.open("a.png"), "far.png", read("a.png") | {"device": "cuda:77"})
    code, _, err = run("remake", "far.png", "--out", "b.png")
    assert code == 2
    assert is_one_sentence(err, "'cuda:77'", "cpu")
