"""The study of the fast mode's parts: what it compares and what it prints."""

import json

import numpy as np
import pytest
import typer

from benchmarks import study
from benchmarks.quality import Cell


def verdict(correct: bool, edge: float | None = 2.0, grain: float | None = 1.0) -> dict:
    return {"correct": correct, "repeated": not correct, "edge_width": edge, "grain": grain, "fringes": 0.0}


def test_pairs_by_hand():
    first = {0: verdict(True), 1: verdict(False), 2: verdict(True), 3: verdict(True, 1.0, 4.0)}
    first[4] = verdict(True)
    other = {
        0: verdict(True, 3.0, 2.0),
        1: verdict(True, 9.0, 9.0),
        2: verdict(False),
        3: verdict(True, 1.5, 1.0),
        4: verdict(False),
    }
    found = study.compare(first, other | {7: verdict(True)})
    assert (found["pairs"], found["became_right"], found["became_wrong"]) == (5, 1, 2)
    assert found["correct_difference"]["fraction"] == pytest.approx(-1 / 5)
    assert found["edge_width_ratio"]["median"] == 1.5  # of scenes 0 and 3, the only ones correct in both
    assert found["grain_ratio"]["median"] == pytest.approx((2 + 0.25) / 2)
    assert found["edge_width"]["median"] == (2.0 + 3.0) / 2  # scenes 0, 1, 3, 7


def test_the_median_lies_in_its_interval():
    found = study.spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert found["low"] <= found["median"] == 3.0 <= found["high"]
    assert study.spread([1.0]) is None


def test_the_interval_of_a_difference_holds_the_truth_19_times_of_20():
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        # Both right in 85% of scenes, the first only in 8%, the second only in 3%: a difference of -5 points.
        kinds = rng.choice(4, 64, p=[0.85, 0.08, 0.03, 0.04])
        found = study.difference(
            [((True, True), (True, False), (False, True), (False, False))[k] for k in kinds]
        )
        held += found["low"] <= -0.05 <= found["high"]
    assert 0.93 < held / 1000 < 0.99


def test_no_pair_that_differs_is_no_certainty():
    found = study.difference(60 * [(True, True)] + 4 * [(False, False)])
    assert found["fraction"] == 0
    assert found["low"] == pytest.approx(-found["high"])
    assert 0.01 < found["high"] < 0.06
    assert study.difference([]) is None
    all_lost, all_gained = study.difference(8 * [(True, False)]), study.difference(8 * [(False, True)])
    assert all_lost["high"] == pytest.approx(-all_gained["low"])
    assert -1 <= all_lost["low"] <= all_lost["high"] < -0.3


def test_the_vae_adds_what_the_truth_lacks():
    found = study.truth(2, (256, 256))
    true, through = found["256x256, the truth"], found["256x256, the truth through the VAE"]
    assert true["grain"]["median"] < through["grain"]["median"]
    assert true["edge_width"]["median"] < through["edge_width"]["median"]


@pytest.mark.slow
def test_a_small_study(tmp_path, monkeypatch):
    cells = [
        Cell(f"{width}x64, {name}", 1, (64, width), changes, 2, 2, texture=True)
        for width in (64, 128)
        for name, changes in (("paper mode", {}), ("slow", {}), ("fast mode", {"mode": "fast"}))
    ]
    monkeypatch.setattr(study, "CELLS", cells)
    settings = dict(count=1, workers=1, out=tmp_path, verdict_file=tmp_path / "log", save_images=None)
    study.main(only="x64, fast", report=False, **settings)
    found = json.loads((tmp_path / "study.json").read_text())
    assert [row["cell"] for row in found["rows"]] == [cell.name for cell in cells if "slow" not in cell.name]
    assert [row["pairs"] for row in found["rows"]] == [1, 1, 1, 1]
    # Below the training size nothing is changed, in either mode.
    assert all(row["became_right"] == row["became_wrong"] == 0 for row in found["rows"])
    table = (tmp_path / "study.md").read_text()
    assert "| 64x64, fast mode | 1 |" in table
    assert "| 128x64, fast mode | 0 / 0 of 1 | +0.0 (" in table
    assert "the truth through the VAE" in table
    with pytest.raises(
        typer.BadParameter, match="no cell's name holds 'sloth'; cells are 64x64, paper mode; "
    ):
        study.main(only="sloth", report=True, **settings)
