"""The two rules for choosing a training size, compared with the shipped model at twenty sizes.

`python -m benchmarks.training_size` samples each scene once by either rule, at sizes where the rules differ,
and has the checker judge both. Verdicts are kept at once, so a killed run goes on. The shipped model has one
training size, so what differs is whether a little overflow means a larger dilation.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from .quality import RESULTS, Cell, judge_batch, key, read_verdicts, summarise, to_markdown

# (height, width) in pixels: up to a tenth beyond a multiple of 128 on one axis or both.
SIZES = [
    *((136, 128), (128, 136), (136, 136), (264, 128), (272, 256), (256, 280), (264, 256), (256, 264)),
    *((264, 264), (280, 280), (280, 256), (256, 272), (272, 136), (136, 272), (392, 128), (392, 256)),
    *((256, 392), (392, 392), (264, 392), (416, 416)),
]


def cells(count: int) -> list[Cell]:
    """One cell a size and rule, of `count` scenes with one object."""
    return [
        Cell(f"{w}x{h}, one object, {rule}", 1, (h, w), {"size_rule": rule}, count, 1)
        for h, w in SIZES
        for rule in ("published", "nearest")
    ]


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
    from fouriscale.loading import fingerprint
    from shapeworld import WEIGHTS

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    weights, table = fingerprint(WEIGHTS / "unet"), cells(count)
    keys = {cell.name: key(cell, weights) for cell in table}
    verdict_file.parent.mkdir(parents=True, exist_ok=True)
    verdicts = read_verdicts(verdict_file)
    todo = [
        (cell, i)
        for cell in table
        for i in range(count)
        if not report and (keys[cell.name], i) not in verdicts
    ]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, verdict_file.open("a") as log:
        running = {pool.submit(judge_batch, cell, i, None): cell for cell, i in todo}
        for future in track(
            as_completed(running), "sampling", total=len(running), console=Console(stderr=True)
        ):
            for verdict in future.result():
                entry = {"key": keys[running[future].name], **verdict}
                verdicts[entry["key"], entry["scene"]] = entry
                log.write(json.dumps(entry) + "\n")
            log.flush()
    rows = summarise(table, keys, verdicts)
    about = {"weights": weights, "date": date.today().isoformat()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "training_size.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "training_size.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


if __name__ == "__main__":
    typer.run(main)
