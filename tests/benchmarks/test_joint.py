"""The study of positions: what a verdict depends on, and the table of verdicts."""

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.joint import key, summarise, table, to_markdown
from benchmarks.joint_cells import CELLS, Cell, Way
from benchmarks.quality import RESULTS
from fouriscale.position_config import PositionConfig

CELL = Cell("joint-masked", "ntk", Way({"rule": "ntk"}), (256, 256), 4)


def test_every_row_has_a_name_and_settings_that_there_are():
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        if cell.way.positions is not None:
            PositionConfig((128, 128), **cell.way.positions)
    finalists = [cell.name for cell in CELLS if cell.model == "joint" and cell.way.padding is None]
    assert len(finalists) == 10  # two at each of five sizes


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "joint-registers"},
        {"way": Way({"rule": "yarn"})},
        {"way": Way({"rule": "ntk"}, shift=2.0)},
        {"way": Way({"rule": "ntk"}, strength=0.5)},
        {"way": Way({"rule": "ntk"}, padding="masked")},
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
    written = to_markdown(rows, {"steps": 4})
    assert "| width x height | sampling | `joint-masked` | seconds |" in written
    assert "| 256x256 | ntk | 100% (44% to 100%) / 0% (0% to 56%), 3 | 2.0 |" in written
    assert written.rstrip().endswith("steps 4.")


def test_models_stand_side_by_side():
    share = {"fraction": 0.5, "low": 0.0, "high": 1.0}

    def row(cell):
        return {"cell": cell, "count": 2, "correct": share, "repeated": share, "seconds": 1.0}

    lines = table(
        [row("joint-masked, 256x256, direct"), row("joint, 256x256, direct"), row("joint, 64x64, a, b")]
    )
    both, one = "50% (0% to 100%) / 50% (0% to 100%), 2", ""
    assert lines[0] == "| width x height | sampling | `joint-masked` | `joint` | seconds |"
    assert lines[2] == f"| 256x256 | direct | {both} | {both} | 1.0 |"
    assert lines[3] == f"| 64x64 | a, b | {one} | {both} | 1.0 |"


def test_the_page_has_the_table_of_what_was_measured():
    rows = json.loads((RESULTS / "joint.json").read_text())["rows"]
    page = Path("docs/joint.md").read_text()
    for line in table(rows):
        assert line in page, line
