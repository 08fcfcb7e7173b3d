"""Writes the figures of docs/borders.md, from a report that `fouriscale borders` has made of the shipped model.

    .venv/bin/fouriscale borders --out report
    .venv/bin/python -m benchmarks.borders report

Beside the page's tables, its picture and `benchmarks/results/borders.json`: the report without its maps and curves.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fouriscale.borders import charts
from fouriscale.borders.words import strongest_block
from picturelab.files import write_whole
from picturelab.reports.grid import beneath, labelled_row

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "borders.md"
RESULTS = ROOT / "benchmarks" / "results" / "borders.json"
PICTURE = ROOT / "docs" / "borders.png"
BANDS = ("0", "1", "2 to 3", "4 to 7", "8 and more")
_SHOWN = (
    ("direct, 1x", "direct, partial, 1x", "direct, replicate, 1x", "wrapped, 1x"),
    ("direct, 2x", "dilated, 2x", "deep grid, 2x"),
    ("direct, 4x", "dilated, 4x", "deep grid, 4x"),
)
_END = "<!-- end -->"


def without_places(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without maps and curves."""
    ways = []
    for way in report["ways"]:
        kept = {name: value for name, value in way.items() if name not in ("maps", "rings")}
        for name in ("error", "rolled_error", "gradient"):
            if kept[name] is not None:
                kept[name] = {n: v for n, v in kept[name].items() if n not in ("rings", "map")}
        ways.append(kept)
    return {**report, "ways": ways}


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """{its mark in the page: what stands there}."""
    ways = results["ways"]
    shown = [way for way in ways if way["border"] != "wrapped" or way["scale"] == 1]
    return {
        "answer": "\n".join(f"> {sentence}" for sentence in results["sentences"]),
        "position": _table(
            ("way", "signal, mean of blocks", "of 1x", "mid", "last block", "change of the prediction"),
            [
                (
                    way["title"],
                    _figure(way["signal"]),
                    _percent(way["share"]),
                    _figure(way["blocks"]["mid"]["snr"]),
                    _figure(way["blocks"][results["blocks"][-2]]["snr"]),
                    f"{way['blocks']['prediction']['mae']['value']:.2f}",
                )
                for way in shown
            ],
        ),
        "error": _bands(ways, "error", "everywhere"),
        "gradient": _bands(ways, "gradient"),
    }


def _bands(ways: Sequence[Mapping[str, Any]], entry: str, *before: str) -> str:
    rows = [
        (
            way["title"],
            *(_figure(way[entry]["total"]) for _ in before),
            *(_figure(way[entry]["bands"][band]) for band in BANDS),
        )
        for way in ways
        if way[entry] is not None
    ]
    return _table(("way", *before, *BANDS), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figure(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _percent(figure: Mapping[str, float] | None) -> str:
    if figure is None:
        return "none"
    return f"{100 * figure['value']:.0f}% ({100 * figure['low']:.0f} to {100 * figure['high']:.0f})"


def filled(page: str, contents: Mapping[str, str]) -> str:
    """A page with what stands between each mark and its end replaced."""
    for mark, content in contents.items():
        begin = f"<!-- {mark} -->"
        pattern = f"{re.escape(begin)}.*?{re.escape(_END)}"
        page = re.sub(pattern, lambda _, text=f"{begin}\n{content}\n{_END}": text, page, flags=re.DOTALL)
    return page


def main(folder: Path) -> None:
    """Write all of it from a report's folder."""
    report = json.loads((folder / "report.json").read_text())
    results = without_places(report)
    write_whole(RESULTS, json.dumps(results, indent=1) + "\n")
    write_whole(PAGE, filled(PAGE.read_text(), tables(results)))
    block = strongest_block(report)
    powers = {way["title"]: way["maps"][block] for way in report["ways"]}
    pictures = charts.map_pictures(powers, charts.brightest(powers.values()))
    rows = [labelled_row([(title, pictures[title]) for title in row]) for row in _SHOWN]
    beneath(rows, 8).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
