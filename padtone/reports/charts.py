"""The report's drawings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from picturelab.reports.drawing import INK, LINE, NOISE, SOFT, styled, svg


def keep_chart(curve: Sequence[Mapping[str, Any]], padding: int, noise: float) -> str:
    """Likeness to the full picture, and time per picture, against the padding tokens kept.

    Args:
        curve: `keep_k["curve"]` of the report, the full text last.
        padding: padding tokens of the typical prompt, the place of the last point.
        noise: likeness of two seeds' full pictures.
    """
    labels = [str(row["k"]) for row in curve[:-1]] + [f"all {padding}"]
    x = np.arange(len(curve))
    likeness = [row["to_full"] for row in curve]
    with styled():
        figure = Figure(figsize=(8.4, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        mean = np.array([v["mean"] for v in likeness])
        ends = np.abs([[v["mean"] - v["low"], v["high"] - v["mean"]] for v in likeness]).T
        left.errorbar(x, mean, yerr=ends, color=LINE, marker="o", capsize=3)
        left.axhline(noise, color=NOISE, linestyle="--")
        left.annotate("another seed", (x[0] - 0.2, noise), ha="left", va="bottom", color=NOISE)
        left.set(title="Likeness to the full picture", ylabel="CLIP similarity")
        seconds = [row["seconds"] for row in curve]
        right.plot(x, seconds, color=LINE, marker="o")
        right.set(title="Time for a picture", ylabel="seconds")
        right.set_ylim(0, 1.15 * max(seconds))
        for axes in (left, right):
            axes.set_xticks(x, labels)
            axes.set_xlabel("padding tokens kept")
        return svg(figure)


def arm_chart(arms: Mapping[str, Mapping[str, Any]], figure_name: str, label: str) -> str:
    """One figure of every arm with its interval, first arm on top."""
    names = list(arms)
    y = np.arange(len(names))[::-1]
    values = [arms[name][figure_name] for name in names]
    with styled():
        figure = Figure(figsize=(6.4, 0.6 + 0.28 * len(names)), layout="constrained")
        axes = figure.subplots()
        mean = np.array([v["mean"] for v in values])
        ends = np.abs([[v["mean"] - v["low"], v["high"] - v["mean"]] for v in values]).T
        axes.errorbar(mean, y, xerr=ends, color=LINE, marker="o", linestyle="none", capsize=3)
        axes.set_yticks(y, names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(label)
        axes.grid(axis="x", color="#e4e7eb")
        axes.set_axisbelow(True)
        return svg(figure)


def attention_chart(groups: Mapping[str, Mapping[str, Any]], wanted: Sequence[str]) -> str:
    """A heat map a group: layers downward, steps to the right, one colour scale for all."""
    names = [group for group in wanted if group in groups]
    tables = [np.array(groups[group]["layers"]) for group in names]
    top = max(float(table.max()) for table in tables)
    height = 1.4 + 0.16 * max(8, min(len(tables[0]), 40))
    with styled():
        figure = Figure(figsize=(4.2 * len(names), height), layout="constrained")
        axes = figure.subplots(1, len(names), squeeze=False)[0]
        for axis, group, table in zip(axes, names, tables, strict=True):
            mesh = axis.pcolormesh(
                np.arange(table.shape[1] + 1) + 0.5,
                np.arange(table.shape[0] + 1) + 0.5,
                100 * table,
                cmap="viridis",
                vmin=0,
                vmax=100 * top,
                rasterized=True,
            )
            axis.invert_yaxis()
            axis.set(title=f"to {group}", xlabel="step", ylabel="layer")
            axis.locator_params(integer=True)
        figure.colorbar(mesh, ax=axes, label="% of attention")
        return svg(figure)


def interval_bar(low: float, mean: float, high: float, reach: float) -> str:
    """A small strip for a table: an interval against 0, from -reach to +reach."""
    place = lambda value: 60 + 56 * max(-1.0, min(1.0, value / reach))  # noqa: E731
    color = LINE if low > 0 else SOFT if high <= 0 else NOISE
    return (
        '<svg class="strip" viewBox="0 0 120 16" width="120" height="16" role="img" aria-hidden="true">'
        f'<line x1="60" x2="60" y1="0" y2="16" stroke="{INK}" stroke-dasharray="2 2"/>'
        f'<line x1="{place(low):.1f}" x2="{place(high):.1f}" y1="8" y2="8" stroke="{color}" stroke-width="4"/>'
        f'<circle cx="{place(mean):.1f}" cy="8" r="4" fill="{color}"/></svg>'
    )
