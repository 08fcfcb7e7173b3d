"""Hostile jobs files: each key of a job, and text that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picturelab.batch.jobs import Job
from picturelab.bounds import BOUNDS

from .conftest import examples
from .inputs import JOB
from .trial import outcome
from .values import TEXTS, json_values, numbers

pytestmark = pytest.mark.usefixtures("no_work")
KEYS = [*Job.model_fields, "size", "another"]


@st.composite
def rows(draw: Any) -> tuple[dict[str, Any], bool]:
    """A job with one to three hostile values, and whether it has to be refused."""
    row, refused = dict(JOB), False
    for name in draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True)):
        if name in ("height", "width"):
            row.pop("size", None)
        if name in BOUNDS and draw(st.booleans()):
            row[name], refused = draw(numbers(BOUNDS[name])).value, True
        else:
            row[name] = draw(json_values())
    return row, refused


def is_fine(path: Path, refused: bool, shown: str) -> None:
    ended = outcome("fouriscale", ["batch", str(path), "--out", "OUT"])
    fault = ended.fault(refused)
    assert not fault, f"{fault}: {shown[:900]}\n{ended.err[-1500:]}\n{ended.left}"


def test_hostile_jobs(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"

    @examples(50)
    @given(rows())
    def trial(drawn: tuple[dict[str, Any], bool]) -> None:
        row, refused = drawn
        path.write_text(json.dumps(row) + "\n")
        is_fine(path, refused, json.dumps(row))

    trial()


@pytest.mark.parametrize("ending", ["jsonl", "csv", "yaml", "parquet"])
def test_files_of_anything(ending: str, tmp_path: Path):
    path = tmp_path / f"jobs.{ending}"
    lines = st.lists(st.sampled_from(TEXTS) | st.text(max_size=40), max_size=6).map("\n".join)
    keyed = st.tuples(st.sampled_from(KEYS), st.sampled_from(TEXTS)).map(
        lambda pair: f"{pair[0]}: [{pair[1]}]"
    )

    @examples(10)
    @given(st.binary(max_size=100) | (lines | keyed).map(lambda text: text.encode("utf-8", "replace")))
    def trial(content: bytes) -> None:
        path.write_bytes(content)
        is_fine(path, False, repr(content))

    trial()
