"""The command line, run on a small model that lies in a folder."""

import json
import subprocess
import sys

import pytest
from PIL import Image
from typer.testing import CliRunner

from padtone.cli import app, main
from padtone.grid import labelled_grid, read_recipe

PROMPT = "a red cat"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Our shapeworld pipeline, untrained, saved as people get it."""
    from shapeworld.models import build_pipeline, build_text_encoder, build_tokenizer, build_unet, build_vae

    folder = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer()
    pipe = build_pipeline(build_vae(), build_text_encoder(tokenizer), build_unet(), tokenizer)
    pipe.save_pretrained(folder)
    return str(folder)


def run(*arguments: object):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_roles(model):
    result = run("roles", "a red circle", "--model", model)
    lines = result.stdout.splitlines()
    assert lines[0] == "text_encoder: 24 tokens, rows 0 to 23"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["0", "bos"],
        ["1", "prompt"],
        ["2", "prompt"],
        ["3", "prompt"],
        ["4", "eos"],
        ["5-23", "padding"],
    ]


def test_roles_as_json(model):
    (entry,) = json.loads(run("roles", "a red circle", "--model", model, "--json").stdout)
    assert entry["name"] == "text_encoder"
    assert entry["tokens"][1:4] == ["a", "red", "circle"]
    assert entry["roles"].count("padding") == 19


@pytest.mark.parametrize("command", ["ite", "idp"])
def test_grid_and_remake(model, tmp_path, command):
    out, again = tmp_path / "grid.png", tmp_path / "again.png"
    more = ("--layers", "0-1", "--span", "0,0.5") if command == "idp" else ()
    settings = (
        "--model",
        model,
        "--arms",
        "full,padding 1/2",
        "--seeds",
        "0,2",
        "--steps",
        2,
        "--size",
        "32x16",
    )
    result = run(command, "a red circle", *settings, *more, "--negative", "blue", "--out", out)
    arms = 3 if command == "idp" else 2  # the donor comes first
    assert result.stdout == f"wrote {out}: {arms} arms x 2 seeds, each 32x16 pixels\n"
    recipe = read_recipe(out)
    assert recipe["command"] == command
    assert recipe["settings"]["prompt"] == "a red circle"
    assert "torch" in recipe["versions"]
    run("remake", out, "--out", again)
    with Image.open(out) as first, Image.open(again) as second:
        assert first.tobytes() == second.tobytes()
        assert len(first.getcolors(10**6)) > 50
    assert read_recipe(again) == recipe


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ite", PROMPT, "--size", "32"], "size is '32'; it is WIDTHxHEIGHT"),
        (["ite", PROMPT, "--seeds", "one"], "seeds is 'one'"),
        (["ite", PROMPT, "--arms", " , "], "arms is ' , '"),
        (["ite", PROMPT, "--arms", "all"], "keep is 'all'"),
        (["ite", PROMPT, "--dtype", "int8"], "dtype is 'int8'"),
        (["ite", PROMPT, "--clean", "zeros"], "clean is 'zeros'"),
        (["idp", PROMPT, "--span", "0-1"], "span is '0-1'"),
        (["idp", PROMPT, "--layers", "9"], "layers is [9]"),
    ],
)
def test_errors_are_one_line(model, capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["padtone", *arguments, "--model", model])
    with pytest.raises(SystemExit) as exit_code:
        main()
    assert exit_code.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_picture_without_recipe(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    with pytest.raises(ValueError, match="carries no padtone recipe"):
        read_recipe(tmp_path / "plain.png")


def test_help_does_not_load_torch():
    code = "import sys; from padtone.cli import app; import padtone; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


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
