"""The study of positions: what a verdict depends on, and the table of verdicts."""

import dataclasses

import pytest

from benchmarks.joint import key, summarise, to_markdown
from benchmarks.joint_cells import CELLS, Cell, Way
from fouriscale.position_config import PositionConfig

CELL = Cell("joint-masked", "ntk", Way({"rule": "ntk"}), (256, 256), 4)


def test_every_row_has_a_name_and_settings_that_there_are():
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        if cell.way.positions is not None:
            PositionConfig((128, 128), **cell.way.positions)
    finalists = [cell.name for cell in CELLS if cell.model == "joint"]
    assert len(finalists) == 8  # two at each of four sizes


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "joint-registers"},
        {"way": Way({"rule": "yarn"})},
        {"way": Way({"rule": "ntk"}, shift=2.0)},
        {"way": Way({"rule": "ntk"}, strength=0.5)},
        {"size": (256, 384)},
    ],
)
def test_a_verdict_is_kept_under_what_it_depends_on(changes):
    own = key(CELL, 4, "cpu")
    assert key(dataclasses.replace(CELL, **changes), 4, "cpu") != own
    assert key(CELL, 5, "cpu") != own
    assert key(CELL, 4, "cuda") != own
    assert key(dataclasses.replace(CELL, count=2, way_name="renamed"), 4, "cpu") == own


def test_rows_are_compared_with_direct_sampling_scene_by_scene():
    direct = dataclasses.replace(CELL, way_name="direct", way=Way(None))
    keys = {direct.name: "a", CELL.name: "b"}

    def verdict(correct, repeated=False):
        return {"correct": correct, "repeated": repeated, "seconds": 2.0}

    verdicts = {("a", scene): verdict(scene == 0, scene > 1) for scene in range(4)}
    verdicts |= {("b", scene): verdict(True) for scene in range(3)}
    verdicts["b", 9] = verdict(False)  # of a longer run
    rows = summarise([direct, CELL], keys, verdicts)
    assert [row["count"] for row in rows] == [4, 3]
    assert rows[0]["repeated"]["fraction"] == 0.5
    assert rows[1]["correct"]["fraction"] == 1
    assert rows[1]["correct_difference"]["fraction"] == pytest.approx(2 / 3)
    assert rows[1]["correct"]["low"] == pytest.approx(
        1 / (1 + 1.959964**2 / 3), abs=1e-6
    )  # Wilson's, by hand
    table = to_markdown(rows, {"steps": 4})
    assert "| joint-masked, 256x256, ntk | 3 | 0% (0% to 56%) | 100% (44% to 100%) | +67 (" in table
    assert table.rstrip().endswith("steps 4.")
