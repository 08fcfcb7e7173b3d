"""The benchmark of several pictures at once."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import batch_sizes
from benchmarks.speed.clock import Timing


def run(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(batch_sizes.main)
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "400", "TERM": "dumb"})
    return result.exit_code, result.output


def test_rows_by_hand():
    timings = {1: [Timing(3.0), Timing(0.3)], 4: [Timing(0.6), Timing(0.9)]}  # of three steps
    alone, four = batch_sizes.rows(timings)
    assert alone == {"pictures": 1, "seconds": pytest.approx(0.1), "gain": 1.0}
    assert four == {"pictures": 4, "seconds": pytest.approx(0.05), "gain": pytest.approx(2.0)}
    about = {
        "model": "a/b",
        "side": 128,
        "device": "a card",
        "dtype": "float32",
        "date": "today",
        "commit": "abc",
    }
    table = batch_sizes.to_markdown([about | {"rows": [alone, four]}])
    assert "| model | pixels a side | 1 at once | 4 at once | measured |" in table
    assert "| a/b | 128 | 100 (1.00x) | 50 (2.00x) | a card, float32, today, commit abc |" in table


@pytest.mark.slow
def test_sections_are_measured_anew_one_by_one(tmp_path):
    small = ["--model", "shapeworld/unet", "--pictures", "2,1", "--turns", "1", "--out", tmp_path]
    for side in (32, 48, 32):
        code, output = run(*small, "--side", side)
        assert code == 0, output
    sections = json.loads((tmp_path / "batch_sizes.json").read_text())["sections"]
    assert [section["side"] for section in sections] == [48, 32]
    assert [row["pictures"] for row in sections[0]["rows"]] == [1, 2]
    assert (tmp_path / "batch_sizes.md").read_text().strip() in output


def test_processor_time_is_for_one_thread_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    code, output = run("--processor-time", "--out", tmp_path)
    assert code == 2
    assert "--processor-time on cpu with 2 threads: it is for one thread on a CPU" in output
    assert batch_sizes.processor_time(lambda: sum(range(100_000))).seconds > 0


def test_all_shipped_models_that_sample_are_measured():
    assert batch_sizes.models() == [
        f"shapeworld/{name}" for name in ("unet", "unet-frozen", "joint", "joint-masked", "joint-registers")
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--device", "cuda"], "there is no device 'cuda' here; there is cpu"),
        (
            ["--model", "unet"],
            "no shipped model is called 'unet'; there are shapeworld/unet, shapeworld/unet-frozen",
        ),
        (["--side", "100"], "--side 100: must be a multiple of 16"),
        (["--pictures", "1,many"], "--pictures '1,many': must be whole numbers with commas between them"),
        (["--pictures", "0"], "--pictures=0: must be a whole number from 1 to"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, words, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = run(*words, "--out", tmp_path)
    assert code == 2
    assert sentence in output
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_kind_is_not_written_over(tmp_path):
    (tmp_path / "batch_sizes.json").write_text('{"figures": 1}')
    code, output = run("--out", tmp_path)
    assert code == 2
    assert "is no results' file of this benchmark" in output
    assert (tmp_path / "batch_sizes.json").read_text() == '{"figures": 1}'
