"""What is compared: modes, shapes of UNets, and the phases that a run falls into."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fouriscale import FouriScaleConfig
from fouriscale.loading.configs import unet_config, vae_scale_factor

from ..quality import PAPER

STEPS = 50  # of a run

Changes = dict[str, Any]  # to a preset's settings

MODES: dict[str, Changes | None] = {
    "direct": None,
    "paper": PAPER,
    "fast": {"mode": "fast"},
    "layerwise": {"mode": "layerwise"},
    "paper, rows split": PAPER | {"split_rows": True},
}
PARTS: dict[str, Changes | None] = {
    "fast, rows split": {"mode": "fast", "split_rows": True},
    "fast with the guidance branch": {"mode": "fast", "third_branch": True},
    "fast, full attention": {"mode": "fast", "attention": "full", "late_attention": "full"},
    "fast, full late attention": {"mode": "fast", "late_attention": "full"},
    "layerwise, rows split": {"mode": "layerwise", "split_rows": True},
    "layerwise, dilated convolutions": {"mode": "layerwise", "convolution": "dilated"},
    "layerwise, full late attention": {"mode": "layerwise", "late_attention": "full"},
    "paper without the guidance branch": PAPER | {"third_branch": False},
    "polyphase attention while dilated, no guidance branch": PAPER
    | {"attention": "polyphase", "third_branch": False},
    "decimated convolutions, no guidance branch": PAPER | {"convolution": "decimated", "third_branch": False},
}


@dataclass(frozen=True)
class Shape:
    """A UNet by its config alone, and how FouriScale is set for it.

    Attributes:
        side: pixels of its training size, which is a square.
        config: its preset.
        unet: its config.
        vae_scale_factor: pixels a latent pixel.
    """

    name: str
    side: int
    config: FouriScaleConfig
    unet: dict[str, Any]
    vae_scale_factor: int

    def settings(self, changes: Changes | None) -> FouriScaleConfig | None:
        """The preset with some settings changed; None samples directly."""
        return None if changes is None else self.config.replace(**changes)


def _of_preset(name: str, side: int) -> Shape:
    return Shape(name, side, FouriScaleConfig.preset(name), unet_config(name), vae_scale_factor(name))


SHAPES: dict[str, Callable[[], Shape]] = {
    name: functools.partial(_of_preset, name, side)
    for name, side in (("shapeworld", 128), ("sd15", 512), ("sdxl", 1024))
}


@dataclass(frozen=True)
class Phase:
    """Steps of a run that all cost the same.

    Attributes:
        factor: by which convolutions are dilated, or the deep blocks' maps are smaller on each axis; 1 where the
            UNet is its plain self but for attention.
        first: the first of the steps.
        steps: how many.
    """

    factor: float
    first: int
    steps: int


def phases(config: FouriScaleConfig | None, side: int, steps: int = STEPS) -> list[Phase]:
    """Of a run at `side` x `side` pixels; one phase where it is sampled directly."""
    if config is None:
        return [Phase(1.0, 0, steps)]
    schedule = config.schedule(side, side, steps)
    factors = [schedule.at(i) for i in range(steps)]
    if not config.deep:
        factors = [float(math.ceil(factor)) for factor in factors]  # a dilation is whole
    return [Phase(factor, factors.index(factor), factors.count(factor)) for factor in dict.fromkeys(factors)]
