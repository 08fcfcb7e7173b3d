"""Whether cascade and inputs go with what else a picture is made of; needs no model, and no torch."""

from __future__ import annotations

from picturelab.failures import printable

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..maths.sizes import Size
from ..position_config import PositionConfig
from .cascade import Cascade
from .inputs import Inputs
from .wrapping import wrap_name


def check_cascade(
    cascade: Cascade | None,
    inputs: Inputs,
    steps: int | None,
    *,
    direct: bool,
    config: Config | None = None,
    size: Size | None = None,
    wrap: str | None = None,
) -> None:
    """Refuse a cascade that could not be made, before anything is loaded.

    Args:
        steps: None where they are not known yet.
        direct: whether the picture is to be sampled without FouriScale.
        config, size: its settings and (height, width) in pixels, None where they are not known yet.
        wrap: what is chosen of these beside a preset.

    Raises:
        ValueError: it could not.
    """
    if cascade is None:
        return
    if isinstance(config, PositionConfig):
        cascade.check_transformer()
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
    cascade.check_wrap(wrap or wrap_name(config))
    # A transformer's pipeline rounds up, so that some step is left whatever the strength.
    if steps is not None and not isinstance(config, PositionConfig):
        cascade.check_steps(steps)
        if isinstance(config, FouriScaleConfig) and size is not None:
            cascade.check_active(config, *size, steps)


def check_for_transformer(inputs: Inputs, cascade: Cascade | None) -> None:
    """Refuse what a transformer's picture is not made of.

    Raises:
        ValueError: there is a ControlNet, a LoRA, or a cascade of latents.
    """
    inputs.refuse_transformer()
    if cascade is not None:
        cascade.check_transformer()
