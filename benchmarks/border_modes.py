"""What dilated convolutions had better see beyond a picture's border: zeros, as in training, or something else.

`python -m benchmarks.border_modes` samples the same scenes at twice the training size by the published method with
every `border`, has the checker judge them, and compares each with zeros, scene by scene. Writes
`benchmarks/results/border_modes.json` and `border_modes.md`; every verdict is kept at once, so a killed run goes on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .quality import (
    PAPER,
    RESULTS,
    Cell,
    circumstances,
    judged_in,
    key,
    limited,
    measure,
    percent,
    read_verdicts,
)  # fmt: skip
from .study import difference

_BORDERS = ("zeros", "partial", "reflect", "replicate")
# One picture a batch, so that a short run has whole scenes.
CELLS = [
    Cell(
        f"256x256, paper mode, border {border}",
        1,
        (256, 256),
        PAPER | ({} if border == "zeros" else {"border": border}),
        64,
        1,
    )
    for border in _BORDERS
]


def compare(zeros: dict[int, dict[str, Any]], judged: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """How much more often a border's pictures are right than those of zeros, over the scenes that both have."""
    pairs = [
        (zeros[scene]["correct"], verdict["correct"]) for scene, verdict in judged.items() if scene in zeros
    ]
    return {"pairs": len(pairs), "correct_difference": difference(pairs)}


def to_markdown(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    def points(value: dict[str, float] | None) -> str:
        if value is None:
            return ""
        return "{fraction:+.0f} ({low:+.0f} to {high:+.0f})".format(**{k: 100 * v for k, v in value.items()})

    lines = [
        "| width x height, sampling | pictures | correct | repeated | points more correct than zeros |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['cell']} | {row['count']} | {percent(row['correct'])} | {percent(row['repeated'])} "
        f"| {points(row['correct_difference'])} |"
        for row in rows
    ]
    note = "; ".join(f"{name} {value}" for name, value in about.items())
    intervals = "In brackets 95% intervals: of shares Wilson's, of points Newcombe's for pairs"
    return "\n".join([*lines, "", f"{intervals}. {note}.", ""])


def main(
    count: Annotated[int, typer.Option(min=1, help="Pictures a row.")] = 64,
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = RESULTS
    / "border_modes.jsonl",
) -> None:
    """Compare what convolutions see beyond a border."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    cells = [limited(cell, count) for cell in CELLS]
    weights = fingerprint(WEIGHTS / "unet")
    rows = measure(cells, weights, verdict_file, workers=0 if report else workers)
    keys, verdicts = {cell.name: key(cell, weights) for cell in cells}, read_verdicts(verdict_file)
    judged = {cell.name: judged_in(cell, keys, verdicts) for cell in cells}
    rows = [row | compare(judged[cells[0].name], judged[row["cell"]]) for row in rows]
    about = circumstances(weights)
    out.mkdir(parents=True, exist_ok=True)
    (out / "border_modes.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "border_modes.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


if __name__ == "__main__":
    typer.run(main)
