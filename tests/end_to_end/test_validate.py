"""`fouriscale validate`: somebody's own model, direct against FouriScale's modes, as a page and as JSON."""

import functools
import json
import re

import pytest
import torch
from PIL import Image

import shapeworld
from fouriscale import FouriScaleConfig
from fouriscale.cli import main
from fouriscale.reports import validate as validation
from fouriscale.reports import validate_figures
from fouriscale.reports.validate_settings import configs_to_compare
from fouriscale.sampling.recipe import read

QUICK = ["--scale", "1.25", "--steps", "2", "--device", "cpu", "--out", "report"]


@pytest.fixture
def run(run_command, tmp_path):
    (tmp_path / "prompts.txt").write_text("a large red circle\n\na green square\n")
    return functools.partial(run_command, main, "validate")


def report(folder):
    return json.loads((folder / "report" / "report.json").read_text())


@pytest.mark.slow
def test_pictures_figures_and_a_page_of_one_file(run, tiny_model, tmp_path):
    code, out, _ = run("--model", tiny_model, "--prompts", "prompts.txt", *QUICK, "--mode", "paper")
    assert code == 0
    assert "width 160, height 160: FouriScale took" in out
    told = report(tmp_path)
    assert (told["version"], told["settings"]["config"]["mode"]) == (2, "paper")
    assert told["settings"]["further"] == {}
    (size,) = told["sizes"]
    assert (size["height"], size["width"]) == (160, 160)
    for method in ("direct", "FouriScale"):
        assert size[method]["pictures"] == 2
        assert size[method]["seconds"] > 0
        # The weights alone take this much, and the machine has less than that many bytes free.
        assert 2e7 < size[method]["peak_bytes"] < 1e11
    assert size["time_ratio"] == size["FouriScale"]["time_ratio"] > 0
    assert size["memory_ratio"] == size["FouriScale"]["memory_ratio"] > 0
    assert told["settings"]["prompts"] == ["a large red circle", "a green square"]
    assert "torch" in told["versions"]

    recipes = {name: read(tmp_path / "report" / name) for name in (one["file"] for one in told["images"])}
    assert {(r["prompt"], r["seed"], r["config"] is None) for r in recipes.values()} == {
        ("a large red circle", 0, True),
        ("a large red circle", 0, False),
        ("a green square", 1, True),
        ("a green square", 1, False),
    }
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("data:image/webp") == 8  # two prompts, two methods, whole and middle
    assert not re.search(r"(src|href)=\"(?!data:)", page)


@pytest.mark.slow
def test_a_killed_run_goes_on(run, tiny_model, tmp_path, monkeypatch):
    arguments = ["--model", tiny_model, "--prompts", "prompts.txt", *QUICK]
    real, calls = validation.generate, []

    def killed(pipe, prompt, **settings):
        config = settings["config"]
        calls.append((prompt, config and config.mode, settings["steps"]))
        if len(calls) == 9:
            raise KeyboardInterrupt
        return real(pipe, prompt, **settings)

    monkeypatch.setattr(validation, "generate", killed)
    assert run(*arguments)[0] == 130
    # Warmed up for one step each, the methods take turns in going first.
    assert calls[:6] == [("a large red circle", mode, n) for mode in (None, "paper", "fast") for n in (1, 2)]
    assert calls[6:8] == [("a green square", mode, 2) for mode in ("paper", "fast")]
    done = {file: file.read_bytes() for file in (tmp_path / "report" / "images").iterdir()}
    assert len(done) == 5
    monkeypatch.setattr(validation, "generate", real)
    assert run(*arguments)[0] == 0
    assert {file: file.read_bytes() for file in done} == done
    assert len(list((tmp_path / "report" / "images").iterdir())) == 6
    modes = {
        one["method"]: (read(tmp_path / "report" / one["file"])["config"] or {}).get("mode")
        for one in report(tmp_path)["images"]
    }
    assert modes == {"direct": None, "FouriScale": "paper", "FouriScale fast": "fast"}

    pieces = sorted((tmp_path / "report" / "pieces").iterdir())
    pieces[0].write_bytes(b"")  # as a power cut leaves it
    damaged = sorted(done)[-1]
    damaged.write_bytes(done[damaged][:100])
    assert run(*arguments)[0] == 0
    assert {file: file.read_bytes() for file in done} == done

    code, _, err = run(*arguments, "--seed", "5")
    assert code == 2
    assert err == (
        "Error: report holds a validation begun with seed 0 instead of 5; "
        "give the same settings or another folder\n"
    )


def test_a_picture_that_does_not_fit_is_noted(run, tiny_model, tmp_path, monkeypatch):
    real = validation.generate

    def full(pipe, prompt, *, config, **settings):
        if (config is None and "circle" in prompt) or (config and config.mode == "fast"):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(pipe, prompt, config=config, **settings)

    monkeypatch.setattr(validation, "generate", full)
    code, out, _ = run("--model", tiny_model, "--prompts", "prompts.txt", *QUICK)
    assert code == 0
    assert "out of memory: 1 of direct and 2 of fast mode; paper mode took" in out
    assert "fast mode took" not in out
    (size,) = report(tmp_path)["sizes"]
    assert (size["direct"]["pictures"], size["direct"]["out_of_memory"]) == (1, 1)
    assert size["FouriScale"]["pictures"] == 2
    assert (size["FouriScale fast"]["pictures"], size["FouriScale fast"]["time_ratio"]) == (0, None)
    assert "<p>out of memory</p>" in (tmp_path / "report" / "report.html").read_text()


def test_the_modes_that_are_compared():
    """A preset's own mode and fast mode, each whole, whatever the other one's parts were set to."""
    compared = configs_to_compare(FouriScaleConfig.preset("sd15", attention="polyphase", stop=0.5))
    assert {method: config.mode for method, config in compared.items()} == {
        "FouriScale": "paper",
        "FouriScale fast": "fast",
    }
    assert compared["FouriScale"].attention == "polyphase"
    fast = compared["FouriScale fast"]
    assert (fast.deep, fast.chosen("attention"), fast.stop) == (True, "downsampled keys", 0.5)
    # Where the preset says fast, the published method stands beside it, and not on the preset's deep grid.
    compared = configs_to_compare(FouriScaleConfig.preset("shapeworld", grid="deep", grid_level=2))
    assert [config.mode for config in compared.values()] == ["paper", "fast"]
    assert [config.deep for config in compared.values()] == [False, True]
    assert compared["FouriScale fast"].grid_level == 2
    before = FouriScaleConfig.from_dict({"training_sizes": [64, 64], "layers": ["mid_block"], "mode": "fast"})
    assert [config.mode for config in configs_to_compare(before).values()] == ["layerwise", "fast"]


def test_shipped_models_are_judged_by_the_checker(monkeypatch):
    world = validation.shipped_world("shapeworld/unet", 0)
    assert len(world.prompts) == len(validation.our_prompts()) == 12
    scene = shapeworld.sample_scenes(12, 0, objects=1)[3]
    assert scene.caption == world.prompts[3]
    assert world.judge(Image.fromarray(scene.pixels(128, 128)), 3) == {"repeated": False, "correct": True}
    assert validation.shipped_world("owner/name", 0) is None
    notes = [{"seconds": s, "peak_bytes": 1, "repeated": s > 1} for s in (1.0, 2.0, 4.0)]
    assert validate_figures._figures([*notes, {"error": "out of memory"}]) == {
        "pictures": 3,
        "out_of_memory": 1,
        "seconds": 2.0,
        "peak_bytes": 1,
        "repeated": 2,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scale", "9"], "scale=9: must be above 1 and at most 8 times the training size"),
        (["--scale", "much"], "'much' is no number"),
        (["--steps", "0"], "steps=0: must be a whole number from 1 to 1000"),
        (["--prompts", "empty.txt"], "empty.txt holds no prompt; write one a line"),
        (["--prompts", "none.txt"], "none.txt cannot be read (No such file or directory)"),
        (
            ["--out", "other"],
            "other is not empty and does not hold a validation; give an empty or a new folder",
        ),
        (["--preset", "sd16"], "unknown preset 'sd16'"),
        (["--guidance", "nan"], "number from 0 to 1000"),
        (["--seed", "-1"], "whole number from 0 to"),
        (["--scale", "nan"], "scale=nan: must be a number from 0.01 to 100"),
        (["--scale", "2", "--scale", "2"], "give each once"),
        (["--mode", "slow"], "mode='slow': must be one of"),
        (["--out", "empty.txt"], "empty.txt is a file; give an empty or a new folder"),
        (["--out", "s3:/bucket/x"], "s3:/bucket/x is an address"),
        (["--prompts", "long.txt"], "long.txt, line 2: the prompt has 10,001 letters"),
    ],
)
def test_bad_input(run, tiny_model, tmp_path, arguments, said):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "long.txt").write_text(f"\ufeffa cat\n{'a' * 10_001}\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    code, out, err = run("--model", tiny_model, *QUICK, *arguments)
    assert code == 2
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "report").exists()
