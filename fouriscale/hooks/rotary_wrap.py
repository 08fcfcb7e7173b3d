"""Which pipelines with a transformer cannot make pictures that wrap."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..maths.wrap import Axes, name_of
from . import wrapping
from .rotary_families import family_of


def refuse(pipe: Any, transformer: nn.Module, wrap: Axes) -> None:
    """ValueError if a transformer adds its positions from a table, or a ControlNet has positions of its own."""
    if family_of(transformer).replace is None:
        raise ValueError(
            f"wrap={name_of(wrap)!r}: {type(transformer).__name__} adds positions from a table, whose ends do not "
            "meet; pictures wrap with a UNet, or with a transformer that turns its tokens, such as FLUX's"
        )
    _refuse_controlnet(pipe, wrap)


def refuse_running(pipe: Any, wrap: Axes) -> None:
    """ValueError if what has come to a running pipeline since its settings were given does not wrap."""
    if any(wrap):
        _refuse_controlnet(pipe, wrap)
        wrapping.refuse_unwrapped(pipe, wrap)


def _refuse_controlnet(pipe: Any, wrap: Axes) -> None:
    if getattr(pipe, "controlnet", None) is not None:
        raise ValueError(
            f"wrap={name_of(wrap)!r}: the ControlNet of this {type(pipe).__name__} is a transformer with positions of "
            "its own, which do not go round; leave one of them out"
        )
