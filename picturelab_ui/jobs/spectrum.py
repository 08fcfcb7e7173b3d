"""What the method does to frequencies, on a picture of one's own: windows, spectra, and what was active."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.hooks.modules import listed_convolutions
from fouriscale.maths.lowpass import Window
from fouriscale.maths.plan import padded_size, size_at

PLAIN, DILATED, FILTERED = 0, 1, 2  # what a step does to a convolution


def radial_power(latents: torch.Tensor, bins: int = 32) -> torch.Tensor:
    """Power of the first latents of a batch by frequency: (bins,), from 0 to the highest of either axis.

    The mean over channels, and over all directions, of the squared absolute value of the orthonormal DFT;
    the mean itself is left out. NaN where a bin holds no frequency of so small a map. White noise of
    variance 1 has power 1 everywhere.

    Args:
        latents: (batch, channels, latent height, latent width).
        bins: of equal width in cycles per pixel, together 0 to 1/2.
    """
    first = latents[0].detach().float().cpu()
    power = torch.fft.fft2(first, norm="ortho").abs().square().mean(0)
    y, x = (torch.fft.fftfreq(n) for n in first.shape[-2:])
    radius = torch.sqrt(y[:, None] ** 2 + x[None, :] ** 2)
    place = (radius * 2 * bins).long()
    inside = (place < bins) & (radius > 0)
    total = torch.zeros(bins).index_add_(0, place[inside], power[inside])
    return total / torch.bincount(place[inside], minlength=bins)


@dataclass(frozen=True)
class Activity:
    """What each step does to each convolution that the config names.

    Attributes:
        layers: their names, shortened, in the UNet's order.
        states: one row a layer, one entry a step: `PLAIN`, `DILATED` or `FILTERED` (dilated too).
        dilations: of each step, before rounding up.
        windows: {map size and stride in words: (padded length, stride)} of the first step's filters.
    """

    layers: tuple[str, ...]
    states: tuple[tuple[int, ...], ...]
    dilations: tuple[float, ...]
    windows: Mapping[str, tuple[int, int]]


def activity(
    unet: Any, config: FouriScaleConfig, height: int, width: int, steps: int, vae_scale_factor: int
) -> Activity:
    """Follow the schedule of a run at `height` x `width` pixels, without running anything.

    Raises:
        ValueError: a layer pattern matches nothing in the UNet.
    """
    listed = listed_convolutions(unet, config, object)
    names = {id(module): short_name(name) for name, module in unet.named_modules()}
    schedule, fit = config.schedule(height, width, steps), config.fit(height, width)
    dilations = tuple(schedule.at(i) if schedule.active(i) else 1.0 for i in range(steps))
    latent_size = height // vae_scale_factor, width // vae_scale_factor
    rows, columns = (math.ceil(side / vae_scale_factor) for side in fit.training_size)
    states, windows = [], {}
    for one in listed:
        stride = one.conv.stride[0]
        padded = (
            padded_size(
                size_at(latent_size, one.level),
                latent_size=latent_size,
                training_size=(rows, columns),
                factor=fit.dilation,
            )
            if one.filtered and one.level is not None
            else None
        )
        row = []
        for dilation in dilations:
            window = Window(max(dilation / stride, 1.0), config.floor)
            passes = padded is None or all(window.is_identity(n) for n in padded)
            row.append(PLAIN if dilation <= 1 else DILATED if passes else FILTERED)
        states.append(tuple(row))
        if padded is not None:
            size = size_at(latent_size, one.level or 0)
            label = f"maps {size[1]}x{size[0]}" + (f", stride {stride}" if stride > 1 else "")
            windows[label] = max(padded), stride
    layers = tuple(names[id(one.conv)] for one in listed)
    return Activity(layers, tuple(states), dilations, windows)


def short_name(layer: str) -> str:
    """`down_blocks.1.resnets.0.conv1` as `down 1 resnet 0 conv1`."""
    words = layer.replace("_blocks", "").replace("_block", "").replace("samplers", "sample").split(".")
    return " ".join(word.removesuffix("s") if word == "resnets" else word for word in words)


def spectrum_chart(
    found: Activity, config: FouriScaleConfig, runs: Mapping[str, Sequence[torch.Tensor]]
) -> str:
    """Three drawings in one, as a data address: the windows, the latents' spectra, what was active.

    Args:
        found: from `activity`.
        config: whose floor and weak branch the windows have.
        runs: {"direct" or "FouriScale": `radial_power` after every step}.
    """
    from matplotlib.figure import Figure

    from picturelab.reports.drawing import styled, svg

    with styled():
        figure = Figure(figsize=(9, 7.6), layout="constrained")
        top, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.05))[:, 0]
        left, right = top.subplots(1, 2)
        _draw_windows(left, found, config)
        _draw_spectra(right, runs)
        dilation, layers = below.subplots(1, 2, width_ratios=(1, 1.6))
        _draw_dilation(dilation, found)
        _draw_layers(layers, found)
        return svg(figure)


def _draw_windows(axes: Any, found: Activity, config: FouriScaleConfig) -> None:
    for label, (length, stride) in found.windows.items():
        scale = max(found.dilations[0] / stride, 1.0)
        half = length // 2
        frequency = torch.arange(half) / max(half - 1, 1)
        passes = Window(scale, config.floor).mask(length)[:half]
        if config.chosen("convolution") == "decimated":
            passes = (frequency < 1 / scale).float()
        (line,) = axes.plot(frequency, passes, label=label)
        if config.chosen("third_branch"):
            weak = Window(max(scale / config.weak_dilation_divisor, 1.0), config.floor, weak=True)
            axes.plot(frequency, weak.mask(length)[:half], color=line.get_color(), linestyle=":")
    axes.set(
        title="Low-pass windows at the first step",
        xlabel="frequency of the map, 1 is the highest",
        ylabel="passes",
    )
    axes.set_ylim(-0.03, 1.05)
    if found.windows:
        axes.legend(
            frameon=False,
            fontsize=8,
            title="dotted: guidance branch" if config.chosen("third_branch") else None,
        )


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
                linestyle="-" if name == "FouriScale" else "--",
                label=f"{name}, step {i + 1}",
            )
    axes.set_yscale("log")
    axes.set(
        title="The latents' spectrum along the run", xlabel="frequency, 1 is the highest", ylabel="power"
    )
    axes.legend(frameon=False, fontsize=8, ncols=2)


def _draw_dilation(axes: Any, found: Activity) -> None:
    steps = range(1, len(found.dilations) + 1)
    axes.bar(
        steps, found.dilations, width=0.9, color=["#2563a8" if d > 1 else "#b8c2cc" for d in found.dilations]
    )
    axes.set(title="Dilation by step (grey: plain UNet)", xlabel="step", ylabel="dilation")
    axes.locator_params(axis="x", integer=True)


def _draw_layers(axes: Any, found: Activity) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    colours = ("#e4e7eb", "#8fb8de", "#2563a8")
    axes.imshow(
        found.states, aspect="auto", interpolation="nearest", cmap=ListedColormap(colours), vmin=0, vmax=2,
        extent=(0.5, len(found.dilations) + 0.5, len(found.layers) + 0.5, 0.5),
    )  # fmt: skip
    every = math.ceil(len(found.layers) / 24)
    axes.set_yticks(range(1, len(found.layers) + 1, every), found.layers[::every], fontsize=7)
    axes.set(title="What each layer did", xlabel="step")
    axes.locator_params(axis="x", integer=True)
    labels = ("plain", "dilated", "dilated and filtered")
    axes.legend(
        handles=[Patch(color=c, label=said) for c, said in zip(colours, labels, strict=True)],
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, frameon=False, fontsize=8,
    )  # fmt: skip
