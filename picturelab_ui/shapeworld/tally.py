"""A scoreboard of judged pictures, kept in a file of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Score:
    """One judged picture: how it was sampled, its (height, width) in pixels, and the judgement."""

    sampling: str
    size: tuple[int, int]
    repeated: bool
    correct: bool


def add(file: Path, score: Score) -> None:
    """One line more; the file is made if it is not there."""
    with file.open("a") as stream:
        stream.write(json.dumps(asdict(score)) + "\n")


def load(file: Path) -> list[Score]:
    """All scores of a file; none where there is no file."""
    if not file.exists():
        return []
    values = (json.loads(line) for line in file.read_text().splitlines())
    return [Score(v["sampling"], (v["size"][0], v["size"][1]), v["repeated"], v["correct"]) for v in values]


def tally(scores: Iterable[Score]) -> list[list[object]]:
    """Rows of size (width x height), sampling, pictures, repeated, correct; counts with their share."""
    groups: dict[tuple[tuple[int, int], str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.size, score.sampling), []).append(score)
    rows: list[list[object]] = []
    for ((height, width), sampling), members in sorted(groups.items()):
        counts = (sum(getattr(s, what) for s in members) for what in ("repeated", "correct"))
        shares = [f"{count} ({count / len(members):.0%})" for count in counts]
        rows.append([f"{width} x {height}", sampling, len(members), *shares])
    return rows
