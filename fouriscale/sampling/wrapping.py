"""Pictures that wrap, as `generate` makes them: whether they can, and fitting a picture to start from."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

from ..config_kinds import Config
from ..maths.sizes import Size
from ..maths.wrap import WRAPS, Axes, check_sides, name_of

# What imports torch is imported where it is used, so that a command refuses a picture at once.

_FILTER = Image.Resampling.LANCZOS
_REACH = 3  # of its pixels to either side


def wrap_name(config: Config | None) -> str:
    """On which axes pictures with these settings wrap, a key of `WRAPS`.

    Args:
        config: None are the settings of direct sampling.
    """
    return config.wrap if config else "none"


def wrap_of(config: Config | None) -> Axes:
    """The axes on which pictures with these settings wrap; see `wrap_name`."""
    return WRAPS[wrap_name(config)]


def check_wrap(pipe: Any, config: Config | None, size: Size) -> None:
    """Refuse a size that does not wrap, and a wrap that no recipe would tell of.

    Args:
        size: (height, width) in pixels.

    Raises:
        ValueError: the strides do not divide a wrapped side, or what `apply_wrap` was called for is not in the config.
    """
    from diffusers import UNet2DConditionModel

    from ..hooks.applied import wrap_multiple
    from ..hooks.pipelines import denoiser_of
    from ..hooks.registry import own_wrap

    wanted, applied = wrap_name(config), name_of(own_wrap(pipe))
    if applied not in ("none", wanted):
        raise ValueError(
            f"wrap={applied!r} is applied to this pipeline and the config says {wanted!r}: give a config with "
            f"wrap={applied!r}, or call remove_wrap(pipe) first"
        )
    denoiser = denoiser_of(pipe)
    if wanted != "none" and isinstance(
        denoiser, UNet2DConditionModel
    ):  # a transformer's tokens are whole anyway
        check_sides(size, wrap_multiple(denoiser, pipe.vae_scale_factor), WRAPS[wanted])


def resized(picture: Image.Image, size: Size, wrap: Axes) -> Image.Image:
    """A picture of another size. Where it wraps, pixels at an edge take part of what lies at the opposite one.

    Args:
        size: (height, width) in pixels.
    """
    height, width = size
    if not any(wrap) or picture.size == (width, height):
        return picture.resize((width, height), _FILTER)
    factors = (picture.width / width, picture.height / height)
    # As far as the filter reaches beyond a box: Pillow takes what lies around it.
    right, down = (
        math.ceil(_REACH * max(factor, 1)) * closed
        for factor, closed in zip(factors, reversed(wrap), strict=True)
    )
    around = Image.new(picture.mode, (picture.width + 2 * right, picture.height + 2 * down))
    for top in range(down % picture.height - picture.height, around.height, picture.height):
        for left in range(right % picture.width - picture.width, around.width, picture.width):
            around.paste(picture, (left, top))
    box = (right, down, right + picture.width, down + picture.height)
    return around.resize((width, height), _FILTER, box)
