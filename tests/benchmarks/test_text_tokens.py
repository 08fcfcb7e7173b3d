"""The benchmark of a joint-attention transformer by text tokens."""

import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from benchmarks import text_tokens
from benchmarks.speed.clock import Timing


def run(*words: object) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(text_tokens.main)
    result = CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "400", "TERM": "dumb"})
    return result.exit_code, result.output


def test_lengths_by_hand():
    # 1600 tokens of a picture of 640 x 640: 12 x 128 and 64 more
    assert text_tokens.lengths([512, 32], 1600) == [576, 512, 64, 32]
    assert text_tokens.lengths([512, 256, 128], 4096) == [512, 256, 128]


def test_rows_by_hand():
    timings = {64: [Timing(2.0), Timing(4.0)], 32: [Timing(1.0), Timing(4.0)]}
    most, fewer = text_tokens.rows(timings, 64)
    assert (most["tokens"], most["time"]) == (128, 1.0)
    assert fewer["tokens"] == 96
    assert fewer["time"] == pytest.approx(2.5 / 3)
    assert (fewer["time_of_turns"]["low"], fewer["time_of_turns"]["high"]) == (0.5, 1.0)
    section = {"shape": "small", "side": 128, "device": "a card", "dtype": "float32", "turns": 2}
    table = text_tokens.to_markdown([section | {"rows": [most, fewer]}])
    assert "| 64 | 128 = 1 x 128 | 3000 | 1.00 | 1.00 to 1.00 |" in table
    assert "| 32 | 96 | 2500 | 0.83 | 0.50 to 1.00 |" in table


def test_the_large_shape_is_fluxs():
    with torch.device("meta"):
        transformer = text_tokens.FluxTransformer2DModel(**text_tokens.SHAPES["flux"])
    assert sum(p.numel() for p in transformer.parameters()) == 11_901_408_320


def test_sections_are_measured_anew_one_by_one(tmp_path):
    small = ["--shape", "small", "--dtype", "float32", "--tokens", "16,8", "--turns", "1", "--out", tmp_path]
    for side in (64, 32, 64):
        code, output = run(*small, "--side", side)
        assert code == 0, output
    sections = json.loads((tmp_path / "text_tokens.json").read_text())["sections"]
    assert [section["side"] for section in sections] == [32, 64]
    assert [row["text_tokens"] for row in sections[1]["rows"]] == [112, 16, 8]
    assert (tmp_path / "text_tokens.md").read_text().strip() in output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--device", "cuda"], "there is no device 'cuda' here; there is cpu"),
        (["--shape", "flux2"], "no shape is called 'flux2'; shapes are flux, small"),
        (["--dtype", "int8"], "unknown dtype 'int8'; dtypes are float32, float16, bfloat16"),
        (["--side", "500"], "--side 500: must be a multiple of 16"),
        (["--tokens", "512,many"], "--tokens '512,many': must be whole numbers with commas between them"),
        (["--tokens", "0"], "--tokens=0: must be a whole number from 1 to 32768"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, words, sentence):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, output = run(*words, "--out", tmp_path)
    assert code == 2
    assert sentence in output
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_kind_is_not_written_over(tmp_path):
    (tmp_path / "text_tokens.json").write_text('{"figures": 1}')
    code, output = run("--shape", "small", "--out", tmp_path)
    assert code == 2
    assert "is no results' file of this benchmark" in output
    assert (tmp_path / "text_tokens.json").read_text() == '{"figures": 1}'
