"""How long a run takes on a card that was measured: seconds by multiply-adds, and what each mode took of them there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .explain import Explanation

CARD = "an H100 80 GB in float16"

Ratios = tuple[float, float]


@dataclass(frozen=True)
class Measurement:
    """Of a UNet at one square size, with guidance; source: `benchmarks/results/h100.md`.

    Attributes:
        pixels: height times width.
        seconds: of a direct step.
        multiply_adds: of it.
        modes: {mode: (an active step, a late step)}, over a direct step.
    """

    pixels: int
    seconds: float
    multiply_adds: float
    modes: dict[str, Ratios]


def _modes(paper: Ratios, fast: Ratios, layerwise: Ratios) -> dict[str, Ratios]:
    """By mode; fast mode's are of a trial of the deep grid, before it was built in."""
    return {"paper": paper, "fast": fast, "layerwise": layerwise}


MEASURED = {
    "sdxl": (
        Measurement(2048**2, 0.202, 35.907e12, _modes((1.55, 1.00), (0.49, 0.80), (0.76, 0.79))),
        Measurement(4096**2, 1.435, 287.78e12, _modes((1.53, 1.00), (0.20, 0.42), (0.40, 0.42))),
    ),
    "sd15": (
        Measurement(1024**2, 0.042, 4.674e12, _modes((1.50, 1.01), (0.84, 0.83), (1.56, 1.36))),
        Measurement(2048**2, 0.310, 42.206e12, _modes((1.56, 1.02), (0.31, 0.36), (0.35, 0.37))),
    ),
}
FAMILY = {"sd21": "sd15", "sd21-768": "sd15"}  # of the same shape, but for the text's width


@dataclass(frozen=True)
class Estimate:
    """Seconds of a run on the measured card, prompts and decoding apart.

    Attributes:
        direct, run: sampled directly, and as explained.
        near: the measurement that they were computed from.
        mode_measured: whether the mode was; else its multiply-adds stand for its time, which is too little.
    """

    direct: float
    run: float
    near: Measurement
    mode_measured: bool


def estimate(explanation: Explanation, preset: str | None) -> Estimate | None:
    """How long the explained run would take on the card that was measured; None where its UNet was not.

    Args:
        preset: of the UNet's family; None: it is of none.
    """
    measured = MEASURED.get(FAMILY.get(preset or "", preset or ""))
    if measured is None:
        return None
    height, width = explanation.size
    near = min(measured, key=lambda one: abs(math.log(height * width / one.pixels)))
    step = near.seconds * explanation.direct_cost / near.multiply_adds
    direct = explanation.steps * step
    ratios = near.modes.get(explanation.config.mode)
    if ratios is None or explanation.cascade is not None or explanation.fit.dilation == 1:
        return Estimate(direct, direct * explanation.run_cost, near, explanation.fit.dilation == 1)
    active, late = ratios
    run = step * (explanation.active * active + (explanation.steps - explanation.active) * late)
    return Estimate(direct, run, near, True)
