"""The drawing under "Spectrum": windows, the latents' spectra along a run, and what each layer did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.maths.lowpass import Window

from ..jobs.files import SCALED
from ..jobs.spectrum import Activity, kept


def spectrum_chart(
    activity: Activity, config: FouriScaleConfig, runs: Mapping[str, Sequence[torch.Tensor]]
) -> str:
    """Three drawings in one, as a data address: the windows, the latents' spectra, what was active.

    Args:
        activity: from `jobs.spectrum.activity`.
        config: whose floor and weak branch the windows have.
        runs: {"direct" or "FouriScale": `radial_power` after every step}.
    """
    from matplotlib.figure import Figure

    from picturelab.reports.drawing import styled, svg

    with styled():
        figure = Figure(figsize=(9, 7.6), layout="constrained")
        top, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.05))[:, 0]
        left, right = top.subplots(1, 2)
        (_draw_grids if config.deep else _draw_windows)(left, activity, config)
        _draw_spectra(right, runs)
        dilation, layers = below.subplots(1, 2, width_ratios=(1, 1.6))
        _draw_dilation(dilation, activity, config)
        _draw_layers(layers, activity, config)
        return svg(figure)


def _draw_windows(axes: Any, activity: Activity, config: FouriScaleConfig) -> None:
    for label, (length, stride) in activity.windows.items():
        scale = max(activity.dilations[0] / stride, 1.0)
        half = length // 2
        frequency = torch.arange(half) / max(half - 1, 1)
        passes = Window(scale, config.floor).mask(length)[:half]
        if config.chosen("convolution") == "decimated":
            passes = (frequency < 1 / scale).float()
        (line,) = axes.plot(frequency, passes, label=label)
        if config.chosen("third_branch"):
            weak = Window(max(scale / config.weak_dilation_divisor, 1.0), config.floor, weak=True)
            axes.plot(frequency, weak.mask(length)[:half], color=line.get_color(), linestyle=":")
    axes.set(title="Low-pass windows at the first step", ylabel="passes")
    _finish_windows(axes, config, labelled=bool(activity.windows))


def _draw_grids(axes: Any, activity: Activity, config: FouriScaleConfig) -> None:
    for label, grid in activity.grids.items():
        passes = kept(grid)
        frequency = torch.arange(len(passes)) / max(len(passes) - 1, 1)
        (line,) = axes.plot(frequency, passes, label=label)
        if config.chosen("third_branch"):
            axes.plot(frequency, kept(grid, onto="area"), color=line.get_color(), linestyle=":")
    axes.set(title="What deep maps keep on the grid", ylabel="keeps")
    _finish_windows(axes, config, labelled=bool(activity.grids))


def _finish_windows(axes: Any, config: FouriScaleConfig, labelled: bool) -> None:
    """What drawings of windows have in common."""
    axes.set_xlabel("frequency of the map, 1 is the highest")
    axes.set_ylim(-0.03, 1.05)
    if labelled:
        dotted = "dotted: guidance branch" if config.chosen("third_branch") else None
        axes.legend(frameon=False, fontsize=8, title=dotted)


def _draw_spectra(axes: Any, runs: Mapping[str, Sequence[torch.Tensor]]) -> None:
    from matplotlib import colormaps

    shades = colormaps["viridis"]
    for name, powers in runs.items():
        picked = sorted({0, len(powers) // 3, 2 * len(powers) // 3, len(powers) - 1})
        for i in picked:
            power = powers[i]
            frequency = (torch.arange(len(power)) + 0.5) / len(power)
            axes.plot(
                frequency,
                power,
                color=shades(0.9 * i / max(len(powers) - 1, 1)),
                linestyle="-" if name == SCALED else "--",
                label=f"{name}, step {i + 1}",
            )
    axes.set_yscale("log")
    axes.set(
        title="The latents' spectrum along the run", xlabel="frequency, 1 is the highest", ylabel="power"
    )
    axes.legend(frameon=False, fontsize=8, ncols=2)


def _draw_dilation(axes: Any, activity: Activity, config: FouriScaleConfig) -> None:
    steps = range(1, len(activity.dilations) + 1)
    axes.bar(
        steps,
        activity.dilations,
        width=0.9,
        color=["#2563a8" if d > 1 else "#b8c2cc" for d in activity.dilations],
    )
    what = ("Factor", "times smaller on each axis") if config.deep else ("Dilation", "dilation")
    axes.set(title=f"{what[0]} by step (grey: plain UNet)", xlabel="step", ylabel=what[1])
    axes.locator_params(axis="x", integer=True)


def _draw_layers(axes: Any, activity: Activity, config: FouriScaleConfig) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    legend = {"plain": "#e4e7eb", "dilated": "#8fb8de", "dilated and filtered": "#2563a8"}
    if config.deep:
        legend = {"at full size": "#e4e7eb", "on the grid": "#2563a8"}
    axes.imshow(
        activity.states, aspect="auto", interpolation="nearest", cmap=ListedColormap([*legend.values()]),
        vmin=0, vmax=len(legend) - 1,
        extent=(0.5, len(activity.dilations) + 0.5, len(activity.layers) + 0.5, 0.5),
    )  # fmt: skip
    every = math.ceil(len(activity.layers) / 24)
    axes.set_yticks(range(1, len(activity.layers) + 1, every), activity.layers[::every], fontsize=7)
    axes.set(title=f"What each {'block' if config.deep else 'layer'} did", xlabel="step")
    axes.locator_params(axis="x", integer=True)
    axes.legend(
        handles=[Patch(color=colour, label=label) for label, colour in legend.items()],
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize=8,
    )  # fmt: skip
