"""The speed benchmark on models small enough to be run here, and what it refuses."""

import json
import shlex
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import text_tokens
from benchmarks.pictures import blocks
from benchmarks.quality import RESULTS
from benchmarks.speed import command, hidiffusion, memory, subjects
from benchmarks.speed.cases import MODES, PARTS, SHAPES, Phase, Shape
from benchmarks.speed.clock import Clock
from benchmarks.speed.measure import measure, rows
from tests.tiny.unet_pipelines import CONFIG, pipeline, unet

CPU = torch.device("cpu")


@pytest.fixture
def tiny(monkeypatch) -> Shape:
    """The only shape that there is."""
    shape = Shape("tiny", 64, CONFIG.replace(training_sizes=(64, 64)), dict(unet("XL").config), 8)
    for name in list(SHAPES):
        monkeypatch.delitem(SHAPES, name)
    monkeypatch.setitem(SHAPES, "tiny", lambda: shape)
    monkeypatch.setattr(command, "SHIPPED", "tiny")
    return shape


def run(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "400", "TERM": "dumb"})
    return result.exit_code, result.output


def peer_python(folder: Path) -> Path:
    """What stands in for the Python of another environment: it copies a file to where the last word says."""
    folder.mkdir()
    phase = {"first_step": 0, "steps": 50, "timings": [[1.0, None]]}
    row = {"multiply_adds": 0.6, "direct": [[2.0, None]], "phases": [phase]}
    file = folder / "row.json"
    file.write_text(json.dumps({"about": {"hidiffusion": "0.1"}, "rows": [row]}))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nfor last; do :; done\ncp {file} "$last"\n')
    python.chmod(0o755)
    return python


@pytest.mark.slow
def test_every_mode_of_a_unet_is_measured_and_leaves_it_as_it_was(tiny):
    subject = subjects.UNetCalls(tiny, 2, CPU, torch.float32)
    hooks = {name: len(part._forward_hooks) for name, part in subject.unet.named_modules()}
    configs = {name: tiny.settings(changes) for name, changes in (MODES | PARTS).items()}
    found = measure(subject, configs, Clock(CPU), turns=1, calls=1)
    assert [one.failure for one in found.values()] == [None] * len(configs)
    assert all(row["time"] > 0 for row in rows(found))
    assert [len(one.phases) for one in found.values()] == [1] + [2] * (len(configs) - 1)
    assert {name: len(part._forward_hooks) for name, part in subject.unet.named_modules()} == hooks
    assert subject.weight_bytes == 4 * sum(p.numel() for p in subject.unet.parameters())


def test_a_phases_call_runs_with_its_own_grid(tiny):
    subject = subjects.UNetCalls(tiny, 2, CPU, torch.float32)
    sizes = []
    subject.unet.mid_block.register_forward_hook(lambda *_: sizes.append(tuple(_[2].shape[-2:])))
    config = tiny.settings({"mode": "fast", "grid_phases": [[0.5, 1], [0.8, 1.5]]})
    with subject.applied(config):
        for phase in subject.phases(config):
            subject(phase)
    assert sizes == [(4, 4), (6, 6), (8, 8)]  # of 16 x 16 latents, one level down


@pytest.mark.slow
def test_whole_pictures_are_measured(tiny):
    pictures = subjects.WholePictures(pipeline("SD"), height=128, width=128, num_inference_steps=2)
    assert pictures.phases(tiny.config) == [Phase(1.0, 0, 1)]
    configs = {"direct": None, "fast": tiny.settings(MODES["fast"])}
    found = measure(pictures, configs, Clock(CPU), turns=1, calls=1)
    assert [one.failure for one in found.values()] == [None, None]


@pytest.mark.parametrize(
    ("family", "weights"), [("sd15", 859_520_964), ("sdxl", 2_567_463_684)], ids=["sd15", "sdxl"]
)
def test_a_random_pipeline_has_its_familys_true_shape(family, weights):
    pipe = subjects.random_pipeline(family, torch.device("meta"), torch.bfloat16)
    assert sum(p.numel() for p in pipe.unet.parameters()) == weights
    modules = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert len(modules) == {"sd15": 3, "sdxl": 4}[family]
    assert {module.dtype for module in modules} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.slow
def test_the_command_writes_both_files_and_keeps_other_sections(tiny, tmp_path, monkeypatch):
    modes = {name: MODES[name] for name in ("direct", "fast")}
    monkeypatch.setattr(command, "resident", lambda shape, scale, mode, dtype: 100 + len(mode))
    monkeypatch.setattr("benchmarks.speed.computed._MAPS", ((8, 16), (8, 32)))
    monkeypatch.setattr("benchmarks.speed.computed.PARTS", {})
    monkeypatch.setattr("benchmarks.speed.computed.MODES", modes)
    small = pipeline("SD")
    monkeypatch.setattr(
        command, "whole_pictures",
        lambda *_: subjects.WholePictures(small, height=128, width=128, num_inference_steps=1),
    )  # fmt: skip
    earlier = {"shape": "sdxl", "size": "2048x2048", "mode": "fast"}
    earlier |= {"multiply_adds": 0.5, "peak": 1.0, "bf16_gigabytes": 10.0}
    (tmp_path / "speed.json").write_text(json.dumps({"computed": [earlier], "filters": [], "sections": []}))
    monkeypatch.setattr(command, "MODES", modes)
    monkeypatch.setattr(hidiffusion, "SHAPES", ("tiny",))
    peer = peer_python(tmp_path / "peer")
    code, output = run("--only", "tiny", "--scale", "2", "--turns", "1", "--peer", peer, "--out", tmp_path)
    assert code == 0, output
    found = json.loads((tmp_path / "speed.json").read_text())
    calls, pictures = found["sections"]
    assert (calls["work"], pictures["work"]) == ("calls of the UNet", "whole pictures")
    theirs = calls["rows"].pop()
    assert (theirs["mode"], theirs["time"]) == ("HiDiffusion 0.1", 0.5)
    for section in (calls, pictures):
        assert [row["mode"] for row in section["rows"]] == list(modes)
        assert section["dtype"] == "float32"
    assert [row["peak_bytes"] for row in calls["rows"]] == [106, 104]
    assert calls["rows"][1]["peak"] == pytest.approx(104 / 106)
    assert found["computed"][0] == earlier
    assert {row["size"] for row in found["computed"]} == {"2048x2048", "128x128"}
    assert len(found["filters"][0]["ratios"]) == 2
    text = (tmp_path / "speed.md").read_text()
    assert "## tiny, 128x128, calls of the UNet" in text
    assert text.strip() in output


@pytest.mark.slow
def test_a_mode_that_fails_is_in_the_table_and_in_the_exit_code(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "resident", lambda *_: 1)
    monkeypatch.setattr(command, "computed", lambda *_: [])
    monkeypatch.setattr(command, "filter_overhead", lambda *_: {})
    monkeypatch.setattr(command, "whole_pictures", lambda *_: subjects.UNetCalls(tiny, 2, CPU, torch.float32))
    monkeypatch.setattr(command, "MODES", {"direct": None, "none": {"layers": ["nothing.*"]}})
    code, output = run("--only", "tiny", "--scale", "2", "--turns", "1", "--out", tmp_path)
    assert code == 1
    assert "tiny, 128x128, none: " in output
    assert "nothing.*" in output
    rows = json.loads((tmp_path / "speed.json").read_text())["sections"][0]["rows"]
    assert [row.get("failure") is None for row in rows] == [True, False]


def test_hidiffusion_that_fails_is_a_row_of_the_table():
    row = hidiffusion.row(Path("/bin/false"), "sd15", 2, CPU, torch.float32, turns=1)
    assert row == {"mode": "HiDiffusion", "failure": "exit code 1: it says nothing"}


def test_memory_is_held_by_a_process(tiny):
    assert isinstance(memory.held("tiny", 2, "paper", "float32"), int)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--device", "cuda"], "there is no device 'cuda' here; there is cpu"),
        (["--device", "nonsense"], "there is no device 'nonsense' here; there is cpu"),
        (["--dtype", "float8"], "unknown dtype 'float8'; dtypes are float32, float16, bfloat16"),
        (["--only", "sd15,sd3"], "no shape is called 'sd3'; shapes are shapeworld, sd15, sdxl"),
        (["--scale", "2,one"], "--scale '2,one': must be whole numbers from 2 to 8, such as 2,4"),
        (["--scale", "16"], "--scale '16': must be whole numbers from 2 to 8, such as 2,4"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, words, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = run(*words, "--out", tmp_path)
    assert code == 2
    assert sentence in output
    assert "Traceback" not in output
    assert not list(tmp_path.iterdir())


def test_a_results_file_that_is_none_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "speed.json").write_text('{"rows": []}')
    code, output = run("--out", tmp_path)
    assert code == 2
    assert "is no results' file of this benchmark (it holds rows)" in output
    assert (tmp_path / "speed.json").read_text() == '{"rows": []}'


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("")
    code, output = run("--out", tmp_path / "file" / "results")
    assert code == 2
    assert "results cannot be written there (Not a directory)" in output


def test_the_commands_beside_the_gpus_figures_can_be_given():
    page = RESULTS.joinpath("h100.md").read_text()
    lines = [line for block in blocks(page) for line in block.text.splitlines()]
    assert len(lines) == 4
    for line in lines:
        _, _, module, *words = shlex.split(line, comments=True)
        main = {"benchmarks.speed": command.main, "benchmarks.text_tokens": text_tokens.main}[module]
        app = typer.Typer()
        app.command()(main)
        typer.main.get_command(app).make_context("command", words)  # reads them and runs nothing


def test_what_is_measured_where():
    assert command.planned(None, None, CPU) == [("shapeworld", 2), ("shapeworld", 4), ("sd15", 2)]
    on_a_gpu = command.planned(None, None, torch.device("cuda"))
    assert on_a_gpu == [(shape, scale) for shape in ("shapeworld", "sd15", "sdxl") for scale in (2, 4)]
    assert command.planned("sdxl", "3,2", CPU) == [("sdxl", 3), ("sdxl", 2)]
