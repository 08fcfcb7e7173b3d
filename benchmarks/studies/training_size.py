"""The two rules for choosing a training size, compared with the shipped model at twenty sizes.

`python -m benchmarks.training_size` samples each scene once by either rule, at sizes where the rules differ,
and has the checker judge both. Verdicts are kept at once, so a killed run goes on. The shipped model has one
training size, so what differs is whether a little overflow means a larger dilation.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from .quality import PAPER, RESULTS, Cell, measure, share, to_markdown

RULES = ("published", "nearest")
# (height, width) in pixels: up to a tenth beyond a multiple of 128 on one axis or both.
SIZES = [
    *((136, 128), (128, 136), (136, 136), (264, 128), (272, 256), (256, 280), (264, 256), (256, 264)),
    *((264, 264), (280, 280), (280, 256), (256, 272), (272, 136), (136, 272), (392, 128), (392, 256)),
    *((256, 392), (392, 392), (264, 392), (416, 416)),
]


def cells(count: int) -> list[Cell]:
    """One cell a size and rule, of `count` scenes with one object."""
    return [
        Cell(f"{w}x{h}, one object, {rule}", 1, (h, w), PAPER | {"size_rule": rule}, count, 1)
        for h, w in SIZES
        for rule in RULES
    ]


def pooled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a rule over all sizes that both have been judged at equally often."""
    by_size: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        size, _, rule = row["cell"].rpartition(", ")
        by_size.setdefault(size, {})[rule] = row
    whole = [
        pair for pair in by_size.values() if len({row["count"] for row in pair.values()}) == 1 < len(pair)
    ]
    made = []
    for rule in RULES:
        count = sum(pair[rule]["count"] for pair in whole)
        if count:
            hits = {
                name: round(sum(pair[rule][name]["fraction"] * pair[rule]["count"] for pair in whole))
                for name in ("repeated", "correct")
            }
            made.append(
                {"cell": f"{len(whole)} sizes, {rule}", "count": count}
                | {name: share(number, count) for name, number in hits.items()}
            )
    return made


def main(
    count: Annotated[int, typer.Option(min=1, help="Images a size and rule.")] = 16,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = Path(
        "runs/training_size.jsonl"
    ),
) -> None:
    """Compare the rules."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    weights = fingerprint(WEIGHTS / "unet")
    rows = measure(cells(count), weights, verdict_file, workers=0 if report else workers)
    rows += pooled(rows)
    about = {"weights": weights, "date": date.today().isoformat()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "training_size.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "training_size.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


if __name__ == "__main__":
    typer.run(main)
