"""A report on borders as a page: one file, its answer in two sentences first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.reports.pages import environment, thumbnail

from . import charts
from .measure import PREDICTION
from .ways import DIRECT, WRAPPED
from .words import number, sentences, strongest_block, way

_CURVE = 32  # latent pixels of distance that curves show


def write_report(results: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.json` and `report.html` into a report's folder.

    Args:
        results: what `figures.results` gives.

    Returns:
        The page.

    Raises:
        ValueError: they cannot be written.
    """
    results = {"sentences": list(sentences(results)), **results}
    path = folder / "report.html"
    page = render(results)
    with told_as(f"{path} cannot be written", OSError):
        write_whole(folder / "report.json", json.dumps(results), sync=True)
        write_whole(path, page, sync=True)
    return path


def render(results: Mapping[str, Any]) -> str:
    """The page.

    Args:
        results: the content of report.json.
    """
    ways = results["ways"]
    plain = [one for one in ways if one["border"] == "zeros"]
    bordered = {
        f"borders, {method}, {scale}x": [
            one for one in ways if (one["scale"], one["method"]) == (scale, method)
        ]
        for scale, method in _compared(ways)
    }
    last = next(block for block in reversed(results["blocks"]) if block != PREDICTION)
    return (
        environment("fouriscale.borders")
        .get_template("borders.html.j2")
        .render(
            r=results,
            number=number,
            base=way(results, 1, DIRECT),
            signal_charts={
                "ways of sampling": charts.signal_chart(plain, results["blocks"]),
                **{
                    title: charts.signal_chart(several, results["blocks"], by_border=True)
                    for title, several in bordered.items()
                },
            },
            maps=[_maps(ways, block) for block in dict.fromkeys((strongest_block(results), last))],
            errors=_curves(ways, bordered, "error"),
            rolled_errors=_curves(ways, bordered, "rolled_error"),
            gradients=_curves(ways, bordered, "gradient"),
            bands=list(ways[0]["error"]["bands"]),
        )
    )


def _compared(ways: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """(scale, method) of those that were measured with every border."""
    pairs = [(one["scale"], one["method"]) for one in ways if one["border"] not in ("zeros", WRAPPED)]
    return list(dict.fromkeys(pairs))


def _maps(ways: Sequence[Mapping[str, Any]], block: str) -> dict[str, Any]:
    powers = {
        one["title"]: one["maps"][block] for one in ways if one["border"] != WRAPPED or one["scale"] == 1
    }
    top = charts.brightest(powers.values())
    pictures = charts.map_pictures(powers, top)
    return {
        "block": block,
        "scale": charts.colour_scale(top, "pattern over the pictures' deviation"),
        "pictures": {name: thumbnail(image, max(image.size)) for name, image in pictures.items()},
    }


def _curves(
    ways: Sequence[Mapping[str, Any]], bordered: Mapping[str, Sequence[Mapping[str, Any]]], entry: str
) -> dict[str, str]:
    """{what differs: a drawing of a figure by distance to the border}."""
    label = {
        "error": "squared error of the noise",
        "rolled_error": "squared error of the noise",
        "gradient": "energy of the gradient, mean 1",
    }[entry]
    plain = [one for one in ways if one["border"] == "zeros" and one[entry] is not None]
    drawings = {"ways of sampling": charts.rings_chart(plain, entry, label, by_border=False, most=_CURVE)}
    for title, several in bordered.items():
        if any(one[entry] is None for one in several):
            continue
        drawings[title] = charts.rings_chart(several, entry, label, by_border=True, most=_CURVE)
    return drawings
