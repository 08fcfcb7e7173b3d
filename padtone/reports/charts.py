"""The report's drawings, each narrow enough for a telephone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from picturelab.reports.drawing import INK, LINE, NOISE, SOFT, styled, svg

DOT = "#a9c1de"  # one prompt
COLOURS = (
    LINE,
    "#1d7a46",
    "#8e44ad",
    "#b3261e",
    "#00838f",
    "#6b4f1d",
    "#c2185b",
)  # of what stands side by side
_WIDTH = 4.2  # inches; a telephone shows 4
_SPREAD = 0.22  # of the dots of one row


def finding_chart(finding: Mapping[str, Any], label: str) -> str:
    """A question's paired differences by one figure: a dot a prompt, their mean and its interval, and 0."""
    color = {"yes": LINE, "no": SOFT}.get(finding["answer"], NOISE)
    values, excess = np.array(finding["by_prompt"]), finding["excess"]
    with styled():
        figure = Figure(figsize=(_WIDTH, 1.15), layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=INK, linestyle="--", linewidth=1)
        _dots(axes, values, np.zeros(len(values)))
        _interval(axes, excess, 0, color)
        ends = [*values, excess["low"], excess["high"], 0.0]
        margin = 0.06 * (max(ends) - min(ends) or 1.0)
        axes.set(xlim=(min(ends) - margin, max(ends) + margin), ylim=(-0.5, 0.5), xlabel=label)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=6)
        return svg(figure)


def keep_chart(curve: Sequence[Mapping[str, Any]], padding: int, noise: float) -> str:
    """Likeness to the full picture, and below it time for a picture, against the padding tokens kept.

    Args:
        curve: `keep_k["curve"]` of the report, the full text last; with dots where a row has them "by_prompt".
        padding: padding tokens of the typical prompt, the place of the last point.
        noise: likeness of two seeds' full pictures.
    """
    labels = [str(row["k"]) for row in curve[:-1]] + [f"all {padding}"]
    x = np.arange(len(curve))
    with styled():
        figure = Figure(figsize=(_WIDTH, 5.4), layout="constrained")
        upper, lower = figure.subplots(2, 1)
        for place, row in enumerate(curve[:-1]):
            dots = np.array(row.get("by_prompt", {}).get("to_full", []))
            upper.scatter(place + _jitter(len(dots)), dots, s=7, color=DOT, linewidths=0)
        _errorbars(upper, x, [row["to_full"] for row in curve], upright=True)
        upper.axhline(noise, color=NOISE, linestyle="--")
        behind = dict(facecolor="white", alpha=0.8, linewidth=0, pad=1)
        upper.text(x[0] - 0.3, noise, "another seed", va="bottom", color=NOISE, bbox=behind)
        upper.set(title="Likeness to the full picture", ylabel="CLIP similarity")
        seconds = [row["seconds"] for row in curve]
        lower.plot(x, seconds, color=LINE, marker="o")
        lower.set(title="Time for a picture", ylabel="seconds")
        lower.set_ylim(0, 1.15 * max(seconds))
        for axes in (upper, lower):
            axes.set_xticks(x, labels)
            axes.set_xlabel("padding tokens kept")
        return svg(figure)


def arm_chart(arms: Mapping[str, Mapping[str, Any]], figure_name: str, label: str) -> str:
    """One figure of every arm with its interval and a dot a prompt, first arm on top."""
    names = list(arms)
    y = np.arange(len(names))[::-1]
    with styled():
        figure = Figure(figsize=(_WIDTH, 0.6 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots()
        for place, name in zip(y, names, strict=True):
            values = np.array(arms[name].get("by_prompt", {}).get(figure_name, []))
            _dots(axes, values, np.full(len(values), float(place)))
        _errorbars(axes, y, [arms[name][figure_name] for name in names])
        axes.set_yticks(y, names)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(label)
        axes.grid(axis="x", color="#e4e7eb")
        axes.set_axisbelow(True)
        return svg(figure)


def place_chart(places: Sequence[str], series: Mapping[str, Sequence[Mapping[str, Any]]], label: str) -> str:
    """A figure by the place in the text that was kept alone: one line of points a series, a dot a prompt.

    Args:
        places: below the chart, from left to right.
        series: {name: an arm's figure at each place: "mean", "low", "high" and "by_prompt"}.
    """
    x = np.arange(len(places))
    shifts = np.linspace(-0.16, 0.16, len(series)) if len(series) > 1 else [0.0]
    with styled():
        figure = Figure(figsize=(_WIDTH, 3.1), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=INK, linestyle="--", linewidth=1)
        for (name, values), shift, color in zip(series.items(), shifts, COLOURS, strict=False):
            for place, value in zip(x, values, strict=True):
                dots = np.array(value["by_prompt"])
                axes.scatter(
                    place + shift + _jitter(len(dots)) / 3, dots, s=6, color=color, alpha=0.25, linewidths=0
                )
            _errorbars(axes, x + shift, values, upright=True, color=color, label=name)
        axes.set_xticks(x, places)
        axes.set_ylabel(label)
        if len(series) > 1:
            figure.legend(loc="outside upper left", frameon=False, ncols=2)
        return svg(figure)


def token_chart(encoders: Mapping[str, Mapping[str, Any]], label: str) -> str:
    """A figure of the end token and of each padding token, a line with its interval an encoder.

    Args:
        encoders: {name: {"eos": a figure or None, "padding": one a token}}, each with "mean", "low" and "high".
    """
    with styled():
        figure = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
        axes = figure.subplots()
        most = max(len(places["padding"]) for places in encoders.values())
        end = 1 - max(1.5, most / 8)
        for (name, places), color in zip(encoders.items(), COLOURS, strict=False):
            mean, low, high = (
                [value[part] for value in places["padding"]] for part in ("mean", "low", "high")
            )
            x = np.arange(1, len(mean) + 1)
            axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
            axes.plot(x, mean, color=color, marker="o", markersize=3, label=name)
            if places["eos"] is not None:
                _errorbars(axes, np.array([end]), [places["eos"]], upright=True, color=color)
        ticks = sorted({1, *range(10, most + 1, max(10, 10 * round(most / 60)))})
        axes.set_xticks([end, *ticks], ["end", *map(str, ticks)])
        axes.set(xlabel="padding token", ylabel=label)
        if len(encoders) > 1:
            figure.legend(loc="outside upper left", frameon=False, ncols=2)
        return svg(figure)


def models_chart(models: Mapping[str, Mapping[str, Mapping[str, Any] | None]], label: str) -> str:
    """One figure of some arms, models side by side: {model: {arm: interval; None: it has no such arm}}."""
    arms = list(next(iter(models.values())))
    y = np.arange(len(arms))[::-1].astype(float)
    shifts = np.linspace(0.3, -0.3, len(models)) if len(models) > 1 else [0.0]
    with styled():
        figure = Figure(figsize=(_WIDTH, 1.2 + 0.24 * len(models) + 0.13 * len(arms) * (1 + len(models))))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        for number, ((model, figures), shift) in enumerate(zip(models.items(), shifts, strict=True)):
            known = [
                (place, value) for place, value in zip(y, figures.values(), strict=True) if value is not None
            ]
            color = COLOURS[number % len(COLOURS)]
            places = np.array([place for place, _ in known]) + shift
            _errorbars(axes, places, [value for _, value in known], color=color, label=model)
        for line in y[:-1] - 0.5:
            axes.axhline(line, color="#e4e7eb", linewidth=1)
        axes.set_yticks(y, arms)
        axes.set_ylim(-0.6, len(arms) - 0.4)
        axes.set_xlabel(label)
        axes.grid(axis="x", color="#e4e7eb")
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", frameon=False, ncols=2)
        return svg(figure)


def attention_chart(groups: Mapping[str, Mapping[str, Any]], wanted: Sequence[str]) -> str:
    """A heat map a group, one below the other: layers downward, steps to the right, one colour scale for all."""
    names = [group for group in wanted if group in groups]
    tables = [np.array(groups[group]["layers"]) for group in names]
    top = max(float(table.max()) for table in tables)
    height = 0.9 + 0.16 * max(8, min(len(tables[0]), 40))
    with styled():
        figure = Figure(figsize=(_WIDTH, height * len(names)), layout="constrained")
        axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
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


def _dots(axes: Axes, values: np.ndarray, y: np.ndarray) -> None:
    axes.scatter(values, y + _jitter(len(values)), s=9, color=DOT, linewidths=0)


def _jitter(count: int) -> np.ndarray:
    """Places aside, so that equal dots are not one; the same every time."""
    return _SPREAD * (2 * ((np.arange(count) * 0.618034) % 1) - 1)


def _interval(axes: Axes, value: Mapping[str, float], y: float, color: str) -> None:
    axes.plot([value["low"], value["high"]], [y, y], color=color, linewidth=4, solid_capstyle="butt")
    axes.plot([value["mean"]], [y], color=color, marker="o", markersize=8)


def _errorbars(
    axes: Axes,
    places: np.ndarray,
    values: Sequence[Mapping[str, float]],
    upright: bool = False,
    color: str = LINE,
    label: str | None = None,
) -> None:
    mean = np.array([value["mean"] for value in values])
    ends = np.abs([[v["mean"] - v["low"], v["high"] - v["mean"]] for v in values]).T
    manner: dict[str, Any] = dict(
        color=color, marker="o", linestyle="none", capsize=3, markersize=5, label=label
    )
    if upright:
        axes.errorbar(places, mean, yerr=ends, **manner)
    else:
        axes.errorbar(mean, places, xerr=ends, **manner)
