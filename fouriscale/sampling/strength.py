"""How much of a picture is made anew: the steps that a strength leaves of a run."""

from __future__ import annotations

import math
from typing import Any

from picturelab.bounds import BOUNDS, shown

from ..presets import TRANSFORMER, UNET

USUAL_CASCADE = 0.5  # a cascade's where none is chosen; here, where the command line's help finds it quickly


def check_strength(name: str, strength: Any) -> None:
    """Is it a share of a run?

    Raises:
        ValueError: it is no number in (0, 1].
    """
    number = isinstance(strength, int | float) and not isinstance(strength, bool)
    if not number or not 0 < strength <= 1:
        value = f"{strength:g}" if isinstance(strength, float) else shown(strength)
        raise ValueError(f"{name}={value}: must be above 0 and at most 1")


def steps_of(strength: float, steps: int, denoiser: str = UNET) -> int:
    """How many of a run's last steps image-to-image samples, as diffusers counts.

    Its pipelines with UNets round down, those with transformers up.
    """
    if denoiser == TRANSFORMER:
        return steps - int(steps - min(steps * strength, steps))
    return min(int(steps * strength), steps)


def enough(steps: int, wanted: int) -> float:
    """The least strength, in thousandths, that samples at least `wanted` of a run's steps."""
    fewest = math.floor(1000 * wanted / steps)
    return next(n / 1000 for n in range(fewest, 1001) if steps_of(n / 1000, steps) >= wanted)


def check_steps(name: str, strength: float, steps: int) -> None:
    """Refuse a strength that leaves none of the steps to sample.

    Args:
        name: of the strength, for the message.

    Raises:
        ValueError: strength x steps is below 1; the sentence names numbers that would do.
    """
    if steps_of(strength, steps) >= 1:
        return
    more = math.ceil(1 / strength)
    more += steps_of(strength, more) < 1  # 1 / strength is rounded
    also = f" or {more} steps" if BOUNDS["steps"].holds(more) else ""
    raise ValueError(
        f"{name}={strength:g}, steps={steps}: strength x steps must be at least 1, since so many steps are "
        f"sampled: {enough(steps, 1):g} would do{also}"
    )
