"""Padding's share of attention against the size of the picture, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from picturelab.reports.drawing import SOFT, picture, plain_letters, styled

from ..maths.attention_sizes import AttentionAtSize

_COLOURS = {
    "bos": "#8a5fbf",
    "prompt": "#2f8f46",
    "eos": "#d9822b",
    "template": "#b0579b",
    "padding": "#1f2933",
    "image": "#2563a8",
}


def attention_sizes_chart(found: Sequence[AttentionAtSize], title: str = "") -> Image.Image:
    """Shares by size; then padding's share by layer, by step and by row, a line a size."""
    colours = mpl.colormaps["viridis"].resampled(len(found) + 1)  # the last one is too bright for lines
    with styled():
        figure = Figure(figsize=(13.0, 3.4), layout="constrained")
        figure.suptitle(plain_letters(title, 110), fontsize=10)
        sizes, *places = figure.subplots(1, 4)
        _draw_sizes(sizes, found)
        for axis, name, label in zip(
            places,
            ("by_layer", "by_step", "by_row"),
            ("layer", "step", "row of padding, in order"),
            strict=True,
        ):
            for i, entry in enumerate(found):
                shares = 100 * getattr(entry, name)()
                axis.plot(
                    range(len(shares)),
                    shares,
                    color=colours(i),
                    marker="o",
                    markersize=2,
                    label=f"{entry.width}x{entry.height}",
                )
            axis.set(title=f"to padding, by {label.split()[0]}", xlabel=label, ylabel="% of attention")
            axis.locator_params(axis="x", integer=True)
            axis.set_ylim(bottom=0)
        places[0].legend(fontsize=7, frameon=False)
        return picture(figure)


def _draw_sizes(axis: Any, found: Sequence[AttentionAtSize]) -> None:
    labels = [f"{entry.width}x{entry.height}" for entry in found]
    for group, colour in _COLOURS.items():
        shares = [100 * entry.shares.share(group) for entry in found]
        if any(shares):
            axis.plot(labels, shares, color=colour, marker="o", markersize=3, label=group)
    even = [100 * entry.shares.even("padding") for entry in found]
    axis.plot(labels, even, color=SOFT, linestyle="--", label="padding, if even")
    axis.set(title="by size", xlabel="size", ylabel="% of attention")
    axis.tick_params(axis="x", labelsize=8)
    axis.set_ylim(0, 100)
    axis.legend(fontsize=7, frameon=False)
