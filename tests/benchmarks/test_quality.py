"""The quality benchmark: what it counts, what it keeps, and that a killed run goes on."""

import dataclasses
import json

import pytest
import typer
from PIL import Image

from benchmarks import quality
from benchmarks.quality import CELLS, PAPER, Cell, key, read_verdicts, share, summarise, to_markdown
from benchmarks.studies import training_size

SMALL = Cell("64x64, one object, direct", 1, (64, 64), None, 3, 2)


def test_wilson_interval_by_hand():
    # p = 1/4, n = 4, z = 1.96: centre (p + z^2 / 2n) / (1 + z^2 / n), half-width as in Wilson (1927)
    found = share(1, 4)
    assert found["fraction"] == 0.25
    assert found["low"] == pytest.approx(0.0456, abs=2e-4)
    assert found["high"] == pytest.approx(0.6994, abs=2e-4)


def test_a_verdicts_key_holds_all_that_it_depends_on(monkeypatch):
    cell = next(cell for cell in CELLS if cell.config == PAPER)
    without = next(cell for cell in CELLS if cell.config == PAPER | {"third_branch": False})
    keys = {key(cell, "weights 1"), key(cell, "weights 2"), key(without, "weights 1")}
    keys |= {key(dataclasses.replace(cell, cascade=parts), "weights 1") for parts in ({}, {"strength": 0.3})}
    monkeypatch.setattr(quality, "judge_version", lambda with_texture: "another checker")
    assert len(keys | {key(cell, "weights 1")}) == 6


def test_a_line_cut_short_is_left_out(tmp_path):
    file = tmp_path / "verdicts.jsonl"
    whole = {"key": "k", "scene": 0, "repeated": False, "correct": True}
    file.write_text(json.dumps(whole) + "\n" + json.dumps(whole | {"scene": 1})[:-5])
    assert read_verdicts(file) == {("k", 0): whole}
    assert read_verdicts(tmp_path / "none.jsonl") == {}


@pytest.mark.slow
def test_a_cascades_first_picture_alone_is_enlarged(tmp_path):
    cell = Cell("160x240, enlarged", 1, (240, 160), {"mode": "fast"}, 1, 1, texture=True, cascade={})
    (verdict,) = quality.judge_batch(cell, 0, tmp_path)
    (file,) = tmp_path.glob("*.png")
    with Image.open(file) as image:
        assert image.size == (160, 240)
    assert verdict["edge_width"] > 1.5  # no edge of an enlarged picture is sharp


def test_the_table_counts_only_its_own_verdicts():
    def verdict(repeated: bool, correct: bool) -> dict:
        return {"repeated": repeated, "correct": correct}

    verdicts = {
        ("k", 0): verdict(True, False),
        ("k", 1): verdict(False, True),
        ("another checker's", 2): verdict(True, True),
        ("k", 3): verdict(True, True),  # beyond the cell's three scenes
    }
    (row,) = summarise([SMALL], {SMALL.name: "k"}, verdicts)
    assert row["count"] == 2
    assert row["repeated"]["fraction"] == row["correct"]["fraction"] == 0.5
    table = to_markdown([row], {"steps": 25})
    assert "| 64x64, one object, direct | 2 | 50% (9% to 91%) | 50% (9% to 91%) |" in table
    assert table.endswith("steps 25.\n")


def test_every_promised_cell_is_there():
    names = {cell.name for cell in CELLS}
    assert len(names) == len(CELLS)
    for size in ("256x256", "256x384", "384x256", "512x512"):
        assert {f"{size}, one object, direct", f"{size}, one object, FouriScale, paper mode"} <= names
    for cell in CELLS:  # names say width first, sizes height first
        assert cell.name.startswith(f"{cell.size[1]}x{cell.size[0]}, ")


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "CELLS", [SMALL])
    log, images = tmp_path / "log.jsonl", tmp_path / "images"

    def run() -> list[str]:
        quality.main(
            quick=False, only="", report=False, count=None, workers=1,
            out=tmp_path, verdict_file=log, save_images=images,
        )  # fmt: skip
        return log.read_text().splitlines()

    lines = run()
    assert [json.loads(line)["scene"] for line in lines] == [0, 1, 2]
    assert len(list(images.iterdir())) == 3
    (row,) = json.loads((tmp_path / "quality.json").read_text())["rows"]
    assert row["count"] == 3

    log.write_text("\n".join(lines[:2]) + "\n")  # the second batch is lost
    again = run()
    assert [json.loads(line) for line in again] == [json.loads(line) for line in lines]
    assert run() == again  # nothing is left to do


def test_an_unknown_cell_is_one_sentence(tmp_path):
    with pytest.raises(typer.BadParameter, match=r"no cell's name holds 'cube'; cells are 128x128, one"):
        quality.main(only="cube", verdict_file=tmp_path / "log.jsonl", out=tmp_path)


def test_rules_are_pooled_over_sizes_that_both_have():
    def row(cell: str, count: int, correct: int) -> dict:
        return {"cell": cell, "count": count, "repeated": share(0, count), "correct": share(correct, count)}

    rows = [
        row("136x128, one object, published", 4, 3),
        row("136x128, one object, nearest", 4, 4),
        row("392x392, one object, published", 4, 1),
        row("392x392, one object, nearest", 4, 0),
        row("416x416, one object, published", 4, 4),
        row("416x416, one object, nearest", 1, 1),
    ]
    published, nearest = training_size.pooled(rows)
    assert (published["cell"], nearest["cell"]) == ("2 sizes, published", "2 sizes, nearest")
    assert published["correct"] == nearest["correct"] == share(4, 8)
