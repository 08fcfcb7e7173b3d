"""The command line as a person uses it: in a folder of its own, on a small model."""

import functools
import json
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image, PngImagePlugin

from padtone.cli import main
from padtone.maths.roles import TokenRoles
from padtone.recipe import read_recipe
from padtone.reports.roles import roles_sheet
from padtone.runs.request import call_arguments
from picturelab.reports.grid import labelled_grid

PROMPT = "a red circle"
QUICK = ("--steps", "2", "--size", "32x16")


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_roles(run, tiny_model):
    code, out, err = run("roles", PROMPT, "--model", tiny_model, "--out", "roles.png")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == "text_encoder: 24 tokens, rows 0 to 23"
    assert lines[-2].startswith("Stable Diffusion 1 and 2: SD 1 pads with the end token")
    assert lines[-1] == (
        "19 of the denoiser's 24 rows of text are padding (79%), and it attends to them; whether that matters `padtone "
        "audit` tells"
    )
    assert [line.split()[:2] for line in lines[1:-2]] == [
        ["0", "bos"],
        ["1", "prompt"],
        ["2", "prompt"],
        ["3", "prompt"],
        ["4", "eos"],
        ["5-23", "padding"],
    ]
    assert len(Image.open("roles.png").getcolors(10**6)) > 10


def test_roles_as_json(run, tiny_model):
    (entry,) = json.loads(run("roles", PROMPT, "--model", tiny_model, "--json")[1])
    assert entry["name"] == "text_encoder"
    assert entry["tokens"][1:4] == ["a", "red", "circle"]
    assert entry["roles"].count("padding") == 19


def test_a_prompt_beyond_the_length_says_what_is_cut(run, tiny_model):
    code, _, err = run("roles", " ".join(["red"] * 22 + ["green", "circle"]), "--model", tiny_model)
    assert code == 0
    assert err == "Warning: text_encoder reads 24 tokens and cuts the prompt's end: 'green circle'\n"


@pytest.mark.parametrize("command", ["ite", "idp"])
def test_grid_and_remake(run, tiny_model, tmp_path, command):
    more = ("--layers", "0-1", "--span", "0,0.5") if command == "idp" else ()
    settings = ("--model", tiny_model, "--arms", "full,padding 1/2", "--seeds", "0,2", *QUICK)
    code, out, err = run(command, PROMPT, *settings, *more, "--negative", "blue", "--out", "grid.png")
    arms = "full, padding 1/2" if command == "ite" else "donor, full, padding 1/2"
    assert code == 0, err
    where, found = out.splitlines()
    assert where == f"arms {arms}; seeds 0, 2: grid.png"
    whole, others = ("donor", r"full \d+%, padding 1/2") if command == "idp" else ("full", "padding 1/2")
    assert re.match(
        rf"difference from the {whole} picture, 100% being the pixels' range: {others} \d+%, another seed \d+% \(",
        found,
    )
    recipe = read_recipe("grid.png")
    assert (recipe["command"], recipe["prompt"], recipe["model"]) == (command, PROMPT, str(tiny_model))
    assert recipe["revision"].startswith("sha256:")
    assert recipe["versions"]["torch"] == torch.__version__
    assert recipe["call"] == {
        "height": 16,
        "width": 32,
        "num_inference_steps": 2,
        "negative_prompt": "blue",
        "guidance_scale": 7.5,
    }
    assert recipe["layers"] == ([0, 1] if command == "idp" else None)
    torch.set_num_threads(torch.get_num_threads() + 1)  # the recorded count is what counts
    code, _, err = run("remake", "grid.png", "--out", "again.png")
    assert code == 0
    assert "Warning" not in err
    with Image.open("grid.png") as first, Image.open("again.png") as second:
        assert first.tobytes() == second.tobytes()
        assert len(first.getcolors(10**6)) > 50
    assert read_recipe("again.png") == recipe


def test_the_shipped_model_is_the_default(run, tmp_path):
    """Its own steps and guidance, and a folder of its own for the picture."""
    code, out, _ = run("ite", PROMPT, "--arms", "full", "--size", "32x32")
    assert (code, out) == (0, "arms full; seeds 0: outputs/ite-a-red-circle.png\n")
    recipe = read_recipe("outputs/ite-a-red-circle.png")
    assert recipe["model"] == "shapeworld/unet"
    from shapeworld import SAMPLING

    own = SAMPLING["unet"]
    assert recipe["call"]["num_inference_steps"] == own.steps
    assert recipe["call"]["guidance_scale"] == own.guidance
    assert files(tmp_path) == ["outputs", "outputs/ite-a-red-circle.png"]


def test_remaking_elsewhere_warns(run, tiny_model):
    run("ite", PROMPT, "--model", tiny_model, "--arms", "full", *QUICK, "--out", "a.png")
    recipe = read_recipe("a.png")
    recipe["versions"]["torch"], recipe["revision"] = "1.0", "sha256:another"
    carry(recipe, "old.png")
    code, _, err = run("remake", "old.png", "--out", "b.png")
    assert code == 0
    assert f"Warning: versions differ, so pixels may too: torch {torch.__version__} (was 1.0)\n" in err
    assert "were sha256:another, so pixels will differ" in err


def test_a_shipped_model_whose_weights_have_changed_is_refused(run, tiny_model, tmp_path):
    run("ite", PROMPT, "--model", tiny_model, "--arms", "full", *QUICK, "--out", "a.png")
    carry(read_recipe("a.png") | {"model": "shapeworld/joint", "revision": "sha256:another"}, "old.png")
    code, out, err = run("remake", "old.png", "--out", "b.png")
    assert (code, out) == (2, "")
    assert "the weights of shapeworld/joint are sha256:" in err
    assert "and were sha256:another: the picture can be made again with the version that shipped those" in err
    assert files(tmp_path) == ["a.png", "old.png"]


def carry(recipe, path):
    """A picture with this recipe."""
    info = PngImagePlugin.PngInfo()
    info.add_text("padtone", json.dumps(recipe))
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)


BAD_VALUES = [
    (["--size", "32"], "'32'", "WIDTHxHEIGHT"),
    (["--size", "0x32"], "width=0", "from 8"),
    (["--seeds", "one"], "'one'", "0,1,2"),
    (["--seeds", "5-1"], "'5-1'", "0-5"),
    (["--arms", " , "], "' , '", "full,padding"),
    (["--arms", "all"], "'all'", '"padding 1/5"'),
    (["--arms", "padding 6/5"], "'padding 6/5'", "1 to 5"),
    (["--arms", "full,full"], "['full', 'full']", "different"),
    (["--arms", "template"], "'template'", "no such token"),
    (["--steps", "0"], "steps=0", "from 1"),
    (["--steps", "x"], "'x'", "whole number"),
    (["--guidance", "nan"], "guidance=nan", "from 0"),
    (["--max-length", "20"], "max_sequence_length", "StableDiffusionPipeline takes no"),
    (["--clean", "zeros"], "'zeros'", "'empty_prompt'"),
    (["--pooled", "half"], "'half'", "'clean'"),
    (["--device", "toaster"], "'toaster'", "cpu"),
    (["--dtype", "int8"], "'int8'", "float32"),
    (["--model", "shapeworld"], "'shapeworld'", "shapeworld/unet"),
    (["--model", "shapeworld/nothing"], "'shapeworld/nothing'", "shapeworld/unet"),
    (["--model", "no/such/folder"], "'no/such/folder'", "shapeworld/unet"),
    (["--model", "nobody/nothing"], "'nobody/nothing'", "cannot be had from the hub"),
    (["--model", "empty"], "'empty'", "model_index.json"),
    (["--model", "ddpm"], "DDPMPipeline", "FluxPipeline"),
    (["--model", "one.safetensors"], "'one.safetensors'", "a diffusers folder"),
    (["--out", "a.jpg"], "a.jpg", ".png"),
    (["--out", "text.png/a.png"], "text.png/a.png", "another file or folder"),
    (["--colour", "red"], "--colour", "option"),
]


@pytest.fixture
def bad_files(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "ddpm").mkdir()
    (tmp_path / "ddpm" / "model_index.json").write_text('{"_class_name": "DDPMPipeline"}')
    (tmp_path / "one.safetensors").write_bytes(b"")
    (tmp_path / "text.png").write_text("hello")
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    carry({"command": "paint"}, tmp_path / "odd.png")


def is_one_sentence(err, *parts):
    return err.startswith("Error: ") and err.count("\n") == 1 and all(part in err for part in parts)


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("arguments", "value", "remedy"), BAD_VALUES, ids=lambda x: "=".join(x) if isinstance(x, list) else ""
)
def test_bad_input_is_one_sentence_and_leaves_nothing(run, tiny_model, tmp_path, arguments, value, remedy):
    before = files(tmp_path)
    code, out, err = run("ite", PROMPT, "--model", tiny_model, *QUICK, *arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, value, remedy), err
    assert files(tmp_path) == before


@pytest.mark.usefixtures("bad_files")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["idp", PROMPT, "--span", "0-1"], "span is '0-1'"),
        (["idp", PROMPT, "--span", "0.5,0.2"], "span is '0.5,0.2'"),
        (["idp", PROMPT, "--layers", "9"], "layers is [9]; this denoiser's blocks go from 0 to 6"),
        (["idp", PROMPT, "--layers", "one"], "layers is 'one'"),
        (["ite", ""], "the prompt is empty: say what to draw"),
        (["ite", " ".join(["red"] * 22)], "fills all 24 rows and leaves no padding"),
        (["roles", PROMPT, "--max-length", "0"], "max-length=0: must be a whole number from 1"),
        (["roles", PROMPT, "--out", "text.png/a.png"], "text.png/a.png cannot be written"),
        (["remake", "plain.png"], "plain.png carries no recipe; only pictures that padtone has written do"),
        (["remake", "text.png"], "text.png is not a picture"),
        (["remake", "absent.png"], "absent.png cannot be read"),
        (["remake", "odd.png"], "the recipe's entry 'command' is wrong"),
        (["paint"], "'paint'"),
    ],
)
def test_bad_input_to_every_command(run, tmp_path, arguments, sentence):
    before = files(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, sentence), err
    assert files(tmp_path) == before


def test_help_and_version_answer_without_torch():
    script = (
        "import sys; from padtone.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print('torch' in sys.modules)\n"
    )
    for arguments, said in ((["--version"], "fouriscale-padtone 0.2.0"), (["idp", "--help"], "--layers")):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == 0
        assert said in done.stdout
        assert done.stdout.endswith("False\n")


@pytest.mark.parametrize(
    ("name", "typed", "expected"),
    [
        ("sd1", {"guidance": 3.0}, {"num_inference_steps": 50, "guidance_scale": 3.0}),
        # FLUX without its guidance embedding is guided by a second call, which wants a negative prompt.
        (
            "flux",
            {"guidance": 3.0},
            {"true_cfg_scale": 3.0, "negative_prompt": "", "max_sequence_length": 512},
        ),
        ("flux", {}, {"true_cfg_scale": 1.0, "max_sequence_length": 512}),
        ("flux_clip", {}, {"true_cfg_scale": 1.0, "max_sequence_length": 72}),
        ("flux_clip", {"max_length": 24}, {"max_sequence_length": 24}),
        ("flux2", {"guidance": 3.0}, {"guidance_scale": 3.0, "max_sequence_length": 512}),
        ("qwen_image", {"negative": "blue"}, {"true_cfg_scale": 4.0, "negative_prompt": "blue"}),
    ],
)
def test_what_is_typed_becomes_the_pipelines_own_arguments(tiny, name, typed, expected):
    call = call_arguments(tiny(name), "a folder", size=(16, 32), **typed)
    assert call.items() >= (expected | {"height": 16, "width": 32}).items()
    assert ("negative_prompt" in call) == ("negative_prompt" in expected)


def test_grid_places_pictures():
    """Two arms of one colour each, two rows, enlarged without blur."""
    red, blue = Image.new("RGB", (4, 2), "red"), Image.new("RGB", (4, 2), "blue")
    sheet = labelled_grid({"full": [red, red], "clean": [blue, blue]}, ["seed 0", "seed 1"], "title", tile=40)
    pixels = [pixel for _, pixel in sorted(sheet.getcolors(10**6), reverse=True)][:3]
    counts = {pixel: count for count, pixel in sheet.getcolors(10**6)}
    assert (255, 255, 255) in pixels
    assert counts[(255, 0, 0)] == counts[(0, 0, 255)] == 2 * 40 * 20


@pytest.mark.parametrize(
    ("images", "message"),
    [({}, "got no arm"), ({"full": []}, r"needs 1 images in every arm, got \{'full': 0\}")],
)
def test_bad_grid(images, message):
    with pytest.raises(ValueError, match=message):
        labelled_grid(images, ["seed 0"])


def test_the_sheet_of_roles_colours_each_token():
    """Two encoders, seven tokens: the cells' colours are where the roles are."""
    roles = ("bos", "prompt", "eos", "padding")
    entries = [
        TokenRoles("text_encoder", ("b", "p", "e", "."), (0, 1, 2, 2), roles, range(4)),
        TokenRoles("text_encoder_2", ("p" * 40, "e", "."), (1, 2, 0), roles[1:], range(3)),
    ]
    sheet = roles_sheet(entries, "title", columns=4)
    counts = {pixel: count for count, pixel in sheet.getcolors(10**6)}
    prompt, padding, bos = (counts[pixel] for pixel in ((185, 228, 180), (227, 227, 227), (201, 215, 242)))
    cell = 88 * 36
    assert abs(prompt - 2 * cell) < cell / 3  # text covers a little, the legend adds a little
    assert abs(padding - 2 * cell) < cell / 3
    assert abs(bos - cell) < cell / 3
