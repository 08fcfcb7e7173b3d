"""The step where a picture's ends meet: measured by hand, and its interval."""

import numpy as np
import pytest

from benchmarks import wrapping


def test_steps_by_hand():
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :16], pixels[:, 16:32], pixels[:, 32:] = 10, 30, 70
    measured = wrapping.steps(pixels)
    assert measured["width"] == {
        "across": 60,
        "inside": pytest.approx((20 + 40) / 2),
        "anywhere": pytest.approx((20 + 40) / 47),
    }
    pixels = pixels.transpose(1, 0, 2)
    assert wrapping.steps(pixels)["height"] == measured["width"]


def test_a_seam_shows_and_none_does_not():
    rng = np.random.default_rng(1)
    around = [{"across": float(rng.normal(5, 2)), "inside": float(rng.normal(5, 1))} for _ in range(128)]
    even = wrapping.difference(around)
    assert even["low"] < 0 < even["high"]
    seam = wrapping.difference([one | {"across": one["across"] + 3} for one in around])
    assert 2 < seam["low"] < seam["mean"] < seam["high"] < 4
    assert wrapping.difference(around[:2]) is None


def test_rows_differ_in_what_is_kept():
    keys = {wrapping.key(row, "weights") for row in wrapping.ROWS}
    assert len(keys) == len(wrapping.ROWS)
    assert {row.wrap for row in wrapping.ROWS} == {"none", "width", "both"}


def test_the_table():
    steps = {axis: {"across": 6.0, "inside": 4.0} for axis in ("width", "height")}
    figures = [{"correct": True, "repeated": False, "steps": steps} for _ in range(4)]
    row = wrapping.summarise(wrapping.ROWS[0], figures)
    assert row["steps"]["width"] == {"ratio": 1.5, "difference": None}
    line = wrapping.to_markdown([row], {"steps": 25}).splitlines()[2]
    assert line.startswith("| 128x128, no wrap | 4 | 1.50 times | 1.50 times | 100% (51% to 100%) | 0% ")
