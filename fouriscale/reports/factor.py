"""What a step's factor is, in a word for progress."""

from __future__ import annotations

from ..config import FouriScaleConfig
from ..config_kinds import Config


def factor_of(config: Config | None, factor: float) -> str:
    """What is done in a step, after its number; "" where nothing is.

    Args:
        config: the settings of the run; None samples directly.
        factor: as `on_step` is given it: the dilation, or how many times smaller the deep grid is on each axis.
    """
    if not isinstance(config, FouriScaleConfig) or factor <= 1:
        return ""
    return f", grid {factor:.2f} times smaller" if config.deep else f", dilation {factor:.2f}"
