"""Whether a cascade goes with what else a picture is made of; needs no model, and no torch."""

from __future__ import annotations

from picturelab.failures import printable

from ..config import FouriScaleConfig
from ..maths.sizes import Size
from .cascade import Cascade
from .inputs import Inputs


def check_cascade(
    cascade: Cascade | None,
    inputs: Inputs,
    steps: int | None,
    *,
    direct: bool,
    config: FouriScaleConfig | None = None,
    size: Size | None = None,
) -> None:
    """Refuse a cascade that could not be made, before anything is loaded.

    Args:
        steps: None where they are not known yet.
        direct: whether the picture is to be sampled without FouriScale.
        config, size: its settings and (height, width) in pixels, None where they are not known yet.

    Raises:
        ValueError: it could not.
    """
    if cascade is None:
        return
    if direct:
        raise ValueError(
            f"cascade_strength={cascade.strength:g} without FouriScale: finished directly, a picture beyond the "
            "training size has its objects twice; give a config or a preset"
        )
    if inputs.image is not None:
        raise ValueError(
            f"image={printable(str(inputs.image))} with a cascade, which makes a picture of its own to start from: "
            "give one or the other"
        )
    if steps is not None:
        cascade.check_steps(steps)
        if config is not None and size is not None:
            cascade.check_active(config, *size, steps)
