"""What the method does to frequencies in a run: the latents' spectra, the windows, and what was active. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.hooks.modules import listed_convolutions
from fouriscale.maths.lowpass import Window
from fouriscale.maths.plan import padded_size
from fouriscale.maths.sizes import size_at

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

    def last(self, steps: int) -> Activity:
        """The same of the last steps alone."""
        states = tuple(row[-steps:] for row in self.states)
        return dataclasses.replace(self, states=states, dilations=self.dilations[-steps:])


def activity(
    unet: Any, config: FouriScaleConfig, height: int, width: int, steps: int, vae_scale_factor: int
) -> Activity:
    """Follow the schedule of a run at `height` x `width` pixels, without running anything.

    Raises:
        ValueError: a layer pattern matches nothing in the UNet.
    """
    listed = listed_convolutions(unet, config)
    names = {id(module): short_name(name) for name, module in unet.named_modules()}
    schedule, fit = config.schedule(height, width, steps), config.fit(height, width)
    dilations = tuple(schedule.at(i) if schedule.active(i) else 1.0 for i in range(steps))
    latent_size = height // vae_scale_factor, width // vae_scale_factor
    rows, columns = (math.ceil(side / vae_scale_factor) for side in fit.training_size)
    states, windows = [], {}
    for one in listed:
        stride, padded = one.conv.stride[0], None
        if one.filtered and one.level is not None:
            size = size_at(latent_size, one.level)
            padded = padded_size(
                size, latent_size=latent_size, training_size=(rows, columns), factor=math.ceil(fit.dilation)
            )
            label = f"maps {size[1]}x{size[0]}" + (f", stride {stride}" if stride > 1 else "")
            windows[label] = max(padded), stride
        states.append(tuple(_state(dilation, stride, padded, config.floor) for dilation in dilations))
    layers = tuple(names[id(one.conv)] for one in listed)
    return Activity(layers, tuple(states), dilations, windows)


def _state(dilation: float, stride: int, padded: tuple[int, int] | None, floor: float) -> int:
    """What a step does to a convolution whose maps are filtered at the size `padded`; None: never filtered."""
    if dilation <= 1:
        return PLAIN
    window = Window(max(dilation / stride, 1.0), floor)
    passes = padded is None or all(window.is_identity(n) for n in padded)
    return DILATED if passes else FILTERED


def short_name(layer: str) -> str:
    """`down_blocks.1.resnets.0.conv1` as `down 1 resnet 0 conv1`."""
    words = layer.replace("_blocks", "").replace("_block", "").replace("samplers", "sample").split(".")
    return " ".join(word.removesuffix("s") if word == "resnets" else word for word in words)
