"""The study of the fast mode's parts: what it compares and what it prints."""

import json

import numpy as np
import pytest
import typer

from benchmarks import study
from benchmarks.quality import Cell


def verdict(correct: bool, edge: float | None = 2.0, grain: float | None = 1.0) -> dict:
    return {"correct": correct, "repeated": not correct, "edge_width": edge, "grain": grain}


def test_pairs_by_hand():
    first = {0: verdict(True), 1: verdict(False), 2: verdict(True), 3: verdict(True, 1.0, 4.0)}
    other = {
        0: verdict(True, 3.0, 2.0),
        1: verdict(True, 9.0, 9.0),
        2: verdict(False),
        3: verdict(True, 1.5, 1.0),
    }
    found = study.compare(first, other | {7: verdict(True)})
    assert (found["pairs"], found["became_right"], found["became_wrong"]) == (4, 1, 1)
    assert found["correct_difference"]["mean"] == 0.0
    assert found["edge_width_ratio"]["median"] == 1.5  # of scenes 0 and 3, the only ones correct in both
    assert found["grain_ratio"]["median"] == pytest.approx((2 + 0.25) / 2)
    assert found["edge_width"]["median"] == (2.0 + 3.0) / 2  # scenes 0, 1, 3, 7


def test_the_median_lies_in_its_interval():
    found = study.spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found["low"] <= found["median"] == 3.0 <= found["high"]
    assert study.spread([1.0]) is None
    found = study.spread([0.0, 0.0, 0.0, -1.0], np.mean)
    assert found["low"] <= found["mean"] == -0.25 <= found["high"] <= 0.0


def test_the_vae_adds_what_the_truth_lacks():
    found = study.truth(2, (256, 256))
    true, through = found["the truth"], found["the truth through the VAE"]
    assert true["grain"]["median"] < through["grain"]["median"]
    assert true["edge_width"]["median"] < through["edge_width"]["median"]


def test_a_small_study(tmp_path, monkeypatch):
    cells = [
        Cell(f"{width}x64, {name}", 1, (64, width), changes, 2, 2, texture=True)
        for width in (64, 128)
        for name, changes in (("paper mode", {}), ("fast mode", {"mode": "fast"}))
    ]
    monkeypatch.setattr(study, "CELLS", cells)
    settings = dict(count=2, workers=1, out=tmp_path, verdict_file=tmp_path / "log", save_images=None)
    study.main(only="x64, fast", report=False, **settings)
    found = json.loads((tmp_path / "study.json").read_text())
    assert [row["cell"] for row in found["rows"]] == [cell.name for cell in cells]
    assert [row["pairs"] for row in found["rows"]] == [2, 2, 2, 2]
    # Below the training size nothing is changed, in either mode.
    assert all(row["became_right"] == row["became_wrong"] == 0 for row in found["rows"])
    table = (tmp_path / "study.md").read_text()
    assert "| 64x64, fast mode | 2 |" in table
    assert "| 128x64, fast mode | 0 / 0 of 2 | +0% (+0% to +0%) |" in table
    assert "the truth through the VAE" in table
    with pytest.raises(
        typer.BadParameter, match="no cell's name holds 'sloth'; cells are 64x64, paper mode; "
    ):
        study.main(only="sloth", report=True, **settings)
