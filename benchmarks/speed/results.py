"""The results' file: one section for each device, shape and size that was measured, and what is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.textfiles import read_json

_KEY = ("device", "dtype", "compiled", "work", "shape", "size")  # what makes a section another one
_ABOUT = ("device", "dtype", "date", "commit", "torch", "diffusers", "turns", "calls")

PICTURES, CALLS = "whole pictures", "calls of the UNet"  # what a section is of

Results = dict[str, Any]


def empty() -> Results:
    return {"computed": [], "filters": [], "sections": []}


def read(path: Path) -> Results:
    """What earlier runs found; nothing where there is no such file.

    Raises:
        ValueError: it is no results' file.
    """
    if not path.exists():
        return empty()
    found = read_json(path)
    with told_as(f"{path} is no results' file of this benchmark"):
        if set(found) != set(empty()) or not all(isinstance(part, list) for part in found.values()):
            raise ValueError(f"it holds {', '.join(found) or 'nothing'}")
        to_markdown(found)
    return found


def check_folder(folder: Path) -> None:
    """Make a folder of results before hours are spent on what goes into it.

    Raises:
        ValueError: it cannot be made, or nothing can be written there.
    """
    sentence = f"--out {folder}: results cannot be written there"
    with told_as(sentence, OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ValueError(sentence)


def write(results: Results, folder: Path) -> None:
    """`speed.json` and `speed.md` of a folder."""
    write_whole(folder / "speed.json", json.dumps(results, indent=1) + "\n")
    write_whole(folder / "speed.md", to_markdown(results))


def put(results: Results, part: str, entries: Iterable[dict[str, Any]], *key: str) -> None:
    """Entries in place of those that have the same key, the others left as they are."""
    entries = list(entries)
    anew = {tuple(entry[name] for name in key) for entry in entries}
    kept = [entry for entry in results[part] if tuple(entry.get(name) for name in key) not in anew]
    results[part] = kept + entries


def put_section(results: Results, section: dict[str, Any]) -> None:
    put(results, "sections", [section], *_KEY)


def to_markdown(results: Results) -> str:
    """A table for each section, then what is computed. Everything is over direct sampling at the same size."""
    lines = ["# Time and memory over direct sampling", "", *_READING, ""]
    computed = {(row["shape"], row["size"], row["mode"]): row for row in results["computed"]}
    for section in results["sections"]:
        lines += [*_section(section, computed), ""]
    if results["filters"]:
        lines += ["## A convolution with its filter, over the dilated one alone", ""]
        for entry in results["filters"]:
            ratios = "; ".join(f"{name}: {ratio:.3f}" for name, ratio in entry["ratios"].items())
            lines.append(f"{ratios}. {_sentence(entry)}")
        lines.append("")
    if results["computed"]:
        lines += [*_computed(results["computed"]), ""]
    return "\n".join(lines)


_READING = (
    "`python -m benchmarks.speed` wrote this. A run's time is the sum over its phases of steps times the median of a "
    "call with guidance; in brackets the least and the most of the turns' own ratios. A phase is all steps of equal "
    "cost. Python's time is until it has handed a call over to the GPU. Peak memory is beyond the weights.",
)


def _section(section: dict[str, Any], computed: dict[tuple, dict[str, Any]]) -> list[str]:
    compiled = ", compiled" if section["compiled"] else ""
    lines = [
        f"## {section['shape']}, {section['size']}, {section['work']}{compiled}, {section['device']}",
        "",
        "| mode | time | multiply-adds | ms a call, by phase | Python's ms | peak memory | GiB | compiling, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in section["rows"]:
        counted = computed.get((section["shape"], section["size"], row["mode"]), {})
        lines.append(f"| {' | '.join(_cells(row, counted, section['work'] != PICTURES))} |")
    return [*lines, "", _sentence(section)]


def _cells(row: dict[str, Any], counted: dict[str, Any], of_calls: bool) -> list[str]:
    if row.get("failure"):
        return [row["mode"], f"failed: {row['failure'].replace('|', '/')}", *[""] * 6]
    phases = row["phases"]
    host = [phase["host_seconds"] for phase in phases]
    turns = "" if row["time_of_turns"] is None else " ({:.2f} to {:.2f})".format(*row["time_of_turns"])
    return [
        row["mode"],
        _number(row["time"]) + turns,
        _number(row.get("multiply_adds", counted.get("multiply_adds")) if of_calls else None),
        ", ".join(milliseconds(p["seconds"]) + (f" (x {p['steps']})" if of_calls else "") for p in phases),
        ", ".join(map(milliseconds, host)) if all(host) else "",
        _number(row["peak"]),
        _number(row["peak_bytes"] and row["peak_bytes"] / 2**30),
        _number(row["compile_seconds"], 0),
    ]


def _computed(rows: list[dict[str, Any]]) -> list[str]:
    return [
        "## Computed from shapes alone",
        "",
        "| shape, size | mode | multiply-adds of a run | peak of feature maps | GB in bfloat16, with the UNet |",
        "|---|---|---|---|---|",
        *(
            f"| {row['shape']}, {row['size']} | {row['mode']} | {row['multiply_adds']:.2f} | {row['peak']:.2f} | "
            f"{row['bf16_gigabytes']:.2f} |"
            for row in rows
        ),
    ]


def _sentence(entry: dict[str, Any]) -> str:
    return "; ".join(f"{name} {entry[name]}" for name in _ABOUT if entry.get(name) is not None) + "."


def milliseconds(seconds: dict[str, float]) -> str:
    """The median of some seconds, in three figures at least."""
    return f"{1000 * seconds['median']:.3g}" if seconds["median"] < 1 else f"{1000 * seconds['median']:.0f}"


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"
