"""The full audits of the shipped models: `padtone audit`, 64 prompts x 2 seeds at 10 steps, and a table of them.

`python -m benchmarks.audit` takes some hours on two cores, goes on after a kill, and keeps the reports in
`benchmarks/results/audit/`, and what explains `joint-registers`' verdict at a glance in `docs/`.
"""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image

from padtone.audit.prompts import SCENES_SEED
from padtone.maths.verdict import FEWEST_PROMPTS
from padtone.recipe import read_recipe
from padtone.reports.number import in_short, up_to
from shapeworld import check, sample_scenes

RESULTS = Path(__file__).parent / "results" / "audit"
DOCS = Path(__file__).parents[1] / "docs"
KEPT = ("report.html", "report.json")
COLUMNS = {  # heading: the group and arm of the report
    "prompt, empty padding": ("ite", "prompt"),
    "padding alone": ("ite", "padding"),
    "other padding": ("ite", "other padding"),
    "no padding": ("keep", 0),
    "padding alone, in diffusion": ("idp", "padding"),
    "another seed": ("ite", "another seed"),
}


def read(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """{model: content of its report.json}."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/report.json"))}


def to_markdown(reports: dict[str, dict[str, Any]]) -> str:
    """A row a model: verdict, what can go, and likeness to the full picture with the right backgrounds' share."""
    headings = ["model", "verdict", "can go", "speed then", *COLUMNS]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for name, report in reports.items():
        cells = [_cell(_figures(report, *where)) for where in COLUMNS.values()]
        goes = ", ".join(filter(None, (in_short(report), up_to(report))))
        faster = f"{report['speedup']:.2f}x" if report["droppable"] else ""
        lines.append(f"| {' | '.join([f'`{name}`', report['verdict'], goes, faster, *cells])} |")
    return "\n".join([*lines, ""])


def _figures(report: dict[str, Any], group: str, arm: str | int) -> dict[str, Any] | None:
    if group == "keep":
        return next(row for row in report["keep_k"]["curve"] if row["k"] == arm)
    return (report["arms"][group] or {}).get(arm)


def _cell(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return ""
    likeness, judged = figures["to_full"], figures.get("background correct")
    cell = "{mean:.2f} ({low:.2f} to {high:.2f})".format(**likeness)
    return cell if judged is None else cell + "; {mean:.0%} ({low:.0%} to {high:.0%})".format(**judged)


def borrowed(pictures: Path) -> float:
    """In what share of the pictures with another prompt's padding the background is that prompt's."""
    of_prompt = {scene.caption: scene for scene in sample_scenes(1000, seed=SCENES_SEED)}
    found = []
    for path in sorted(pictures.glob("ite-other-padding/*.png")):
        other = of_prompt[read_recipe(path)["work"]["other"]]
        with Image.open(path) as image:
            found.append(check(image.convert("RGB"), other).background == other.background)
    return statistics.mean(found)


def main(
    work: Annotated[Path, typer.Option(help="Folder of all pictures.")] = Path("runs/audit"),
    count: Annotated[int, typer.Option(min=FEWEST_PROMPTS, help="Prompts.")] = 64,
    report: Annotated[bool, typer.Option("--report", help="The table of what is kept; no audit.")] = False,
) -> None:
    """Audit every shipped model in full."""
    if not report:
        from padtone.cli.commands import app

        words = ["audit", "--model", "shapeworld/all", "--count", str(count), "--seeds", "2"]
        if code := app([*words, "--out", str(work)], standalone_mode=False):
            raise typer.Exit(code)
        for page in (work / "index.html", *(path for name in KEPT for path in work.glob(f"*/{name}"))):
            kept = RESULTS / page.relative_to(work)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, kept)
        shutil.copyfile(work / "joint-registers" / "glance.png", DOCS / "glance.png")
        for pictures in sorted(work.glob("*/images")):
            share = borrowed(pictures)
            typer.echo(
                f"{pictures.parent.name}: with another prompt's padding that prompt's background, {share:.0%}"
            )
    typer.echo(to_markdown(read()))


if __name__ == "__main__":
    typer.run(main)
