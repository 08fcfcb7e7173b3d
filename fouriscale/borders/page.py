"""A report on borders as a page: one file, its answer in two sentences first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.reports.pages import environment, thumbnail

from . import charts
from .measure import PREDICTION
from .ways import DIRECT, WRAPPED
from .words import number, sentences, way

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
    bordered = {scale: _bordered(ways, scale, method) for scale, method in _compared(ways)}
    strongest = _strongest(results)
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
            maps=[_maps(ways, block, f"{block}") for block in dict.fromkeys((PREDICTION, strongest))],
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


def _bordered(ways: Sequence[Mapping[str, Any]], scale: int, method: str) -> list[Mapping[str, Any]]:
    return [one for one in ways if (one["scale"], one["method"]) == (scale, method)]


def _strongest(results: Mapping[str, Any]) -> str:
    """The block in which direct sampling at the training size has the largest signal."""
    blocks = way(results, 1, DIRECT)["blocks"]
    return max(blocks, key=lambda block: float(blocks[block]["snr"]["value"]))


def _maps(ways: Sequence[Mapping[str, Any]], block: str, title: str) -> dict[str, Any]:
    powers = {
        one["title"]: one["maps"][block] for one in ways if one["border"] != WRAPPED or one["scale"] == 1
    }
    top = max(math.sqrt(max(max(max(row) for row in power), 0)) for power in powers.values()) or 1.0
    pictures = charts.map_pictures(powers, top)
    return {
        "block": title,
        "scale": charts.colour_scale(top, "pattern over the pictures' deviation"),
        "pictures": {name: thumbnail(image, max(image.size)) for name, image in pictures.items()},
    }


def _curves(
    ways: Sequence[Mapping[str, Any]], bordered: Mapping[Any, Sequence[Mapping[str, Any]]], entry: str
) -> dict[str, str]:
    """{what differs: a drawing of a figure by distance to the border}."""
    label = {
        "error": "squared error of the noise",
        "rolled_error": "squared error of the noise",
        "gradient": "energy of the gradient, mean 1",
    }[entry]
    plain = [one for one in ways if one["border"] == "zeros" and one[entry] is not None]
    drawings = {
        "ways of sampling": charts.rings_chart(plain, (entry, "rings"), label, by_border=False, most=_CURVE)
    }
    for several in bordered.values():
        first = several[0]
        drawings[f"borders, {first['method']}, {first['scale']}x"] = charts.rings_chart(
            several, (entry, "rings"), label, by_border=True, most=_CURVE
        )
    return drawings
