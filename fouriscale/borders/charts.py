"""The report's drawings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from picturelab.reports.drawing import SOFT, styled, svg

from .ways import DEEP, DILATED, DIRECT, WRAPPED

COLOURS = {DIRECT: "#2563a8", DILATED: "#d9822b", DEEP: "#1d7a46"}
_BORDERS = {
    "zeros": "#2563a8",
    "partial": "#c0392b",
    "reflect": "#d9822b",
    "replicate": "#7d3c98",
    WRAPPED: SOFT,
}
_LINES = {1: "-", 2: "--", 4: ":"}
_MARKERS = {1: "o", 2: "s", 4: "^"}
_MAP = "magma"
_TILE = 192  # pixels of a map's longer side


def signal_chart(ways: Sequence[Mapping[str, Any]], blocks: Sequence[str], *, by_border: bool = False) -> str:
    """The position signal of each block with its interval.

    Args:
        ways: entries of `ways` in report.json.
        by_border: whether they differ by their border, and not by their method and size.
    """
    with styled():
        figure = Figure(figsize=(5.6, 4.2), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(blocks))
        for i, way in enumerate(ways):
            snr = [way["blocks"][block]["snr"] for block in blocks]
            value = np.array([one["value"] for one in snr])
            ends = np.array([[one["value"] - one["low"], one["high"] - one["value"]] for one in snr]).T
            axes.errorbar(
                places + 0.07 * (i - (len(ways) - 1) / 2), value, yerr=np.maximum(ends, 0), capsize=2,
                linewidth=1.2, elinewidth=0.6, markersize=4, **_look(way, by_border),
            )  # fmt: skip
        axes.set_xticks(places, blocks, rotation=40, ha="right")
        axes.set_ylabel("position signal (SNR)")
        axes.set_ylim(0)
        _legend(figure)
        return svg(figure)


def rings_chart(
    ways: Sequence[Mapping[str, Any]], entry: str, label: str, *, by_border: bool, most: int
) -> str:
    """A figure by distance to the border, with intervals as bands.

    Args:
        entry: the name in an entry of `ways` under whose "rings" the figures are.
        most: latent pixels of distance that are shown.
    """
    with styled():
        figure = Figure(figsize=(5.6, 3.8), layout="constrained")
        axes = figure.subplots()
        for way in ways:
            rings = way[entry]["rings"][:most]
            x = np.arange(len(rings))
            look = _look(way, by_border) | {"marker": ""}
            axes.plot(x, [one["value"] for one in rings], linewidth=1.4, **look)
            axes.fill_between(
                x, [one["low"] for one in rings], [one["high"] for one in rings],
                color=look["color"], alpha=0.13, linewidth=0,
            )  # fmt: skip
        axes.set(xlabel="distance to the border, latent pixels", ylabel=label)
        axes.set_ylim(0)
        _legend(figure)
        return svg(figure)


def map_pictures(powers: Mapping[str, Sequence[Sequence[float]]], top: float) -> dict[str, Image.Image]:
    """Maps of powers as pictures of their roots, on one colour scale.

    Args:
        top: the root that has the brightest colour.
    """
    colours = mpl.colormaps[_MAP]
    pictures = {}
    for name, power in powers.items():
        root = np.sqrt(np.maximum(np.array(power), 0)) / top
        image = Image.fromarray((colours(np.minimum(root, 1))[..., :3] * 255).round().astype(np.uint8))
        times = max(_TILE // max(image.size), 1)
        pictures[name] = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    return pictures


def brightest(powers: Iterable[Sequence[Sequence[float]]]) -> float:
    """The `top` for several maps; a place in fifty may exceed it, so that no bright pixel darkens all others."""
    return max(float(np.sqrt(max(np.quantile(np.array(power), 0.98), 0))) for power in powers) or 1.0


def colour_scale(top: float, label: str) -> str:
    """The scale of `map_pictures`."""
    with styled():
        figure = Figure(figsize=(3.4, 0.75), layout="constrained")
        scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(0, top), _MAP)
        figure.colorbar(scale, cax=figure.subplots(), orientation="horizontal", label=label)
        return svg(figure)


def _look(way: Mapping[str, Any], by_border: bool) -> dict[str, Any]:
    if by_border:
        return {
            "color": _BORDERS[way["border"]],
            "linestyle": "--" if way["border"] == WRAPPED else "-",
            "marker": "o",
            "label": way["border"],
        }
    wrapped = way["border"] == WRAPPED
    return {
        "color": SOFT if wrapped else COLOURS[way["method"]],
        "linestyle": _LINES.get(way["scale"], "-"),
        "marker": _MARKERS.get(way["scale"], "o"),
        "label": way["title"],
    }


def _legend(figure: Figure) -> None:
    """Below, where it covers no curve."""
    figure.legend(loc="outside lower center", frameon=False, fontsize=9, ncols=3)
