"""Aspect ratio, scale, width and height of the first tab, which follow each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gradio as gr

from fouriscale.maths.sizes import SIZE_MULTIPLE

from ..events import AT_ONCE, News, answer
from ..forms import Form
from .config_fields import parse_sizes
from .controls import FREE, RATIOS, HighResolutionTools

_GRID = 16  # pixels: what sizes of no named ratio are rounded to


def ratio_size(ratio: tuple[int, int], scale: float, side: int) -> tuple[int, int]:
    """(width, height) of exactly a ratio (width, height), nearest to the area of (scale x side) squared."""
    common = math.gcd(*ratio)
    across, down = (SIZE_MULTIPLE * part // common for part in ratio)
    times = max(1, round(scale * side / math.sqrt(across * down)))
    return across * times, down * times


def free_size(shape: tuple[float, float], scale: float, side: int) -> tuple[int, int]:
    """(width, height): nearly the shape (width, height) of any picture, and the same area, rounded."""
    across, down = shape
    long = scale * side * math.sqrt(across / down)
    rounded = (max(_GRID, round(v / _GRID) * _GRID) for v in (long, long * down / across))
    width, height = rounded
    return width, height


def training_side(sizes: str) -> int | None:
    """The side in pixels of a square as large as the training size nearest to a square; None: not understood.

    Args:
        sizes: as typed, WIDTHxHEIGHT one a line.
    """
    try:
        height, width = min(parse_sizes(sizes), key=lambda size: abs(size[0] - size[1]))
    except ValueError:  # the plan says what is wrong with it
        return None
    return round(math.sqrt(height * width)) or None


def wire(form: Form, tools: HighResolutionTools) -> None:
    """Ratio buttons and scale write width and height, and follow them however those come about."""
    width, height, training = form["width"], form["height"], form["training_sizes"]

    def resize(values: Mapping[Any, Any]) -> Any:
        side, shape = training_side(values[training]), (values[width], values[height])
        name, scale = values[tools.ratio], values[tools.scale]
        if not side or not all(shape):
            return gr.skip()
        size = ratio_size(RATIOS[name], scale, side) if name in RATIOS else free_size(shape, scale, side)
        return dict(zip((width, height), size, strict=True))

    def follow(values: Mapping[Any, Any]) -> Any:
        size, side = (values[width], values[height]), training_side(values[training])
        return answer(_ratio_and_scale(tools, size, side, values[tools.scale]))

    inputs = {tools.ratio, tools.scale, training, width, height}
    gr.on([tools.ratio.input, tools.scale.release], resize, inputs, [width, height], **AT_ONCE)
    gr.on([width.change, height.change], follow, inputs, [tools.ratio, tools.scale], **AT_ONCE)
    tools.swap.click(lambda *size: size[::-1], [width, height], [width, height], **AT_ONCE)


def ratio_of(size: tuple[float, float]) -> str:
    """The button of a size (width, height)."""
    across, down = size
    return next((name for name, (a, b) in RATIOS.items() if across * b == down * a), FREE)


def _ratio_and_scale(
    tools: HighResolutionTools, size: tuple[Any, Any], side: int | None, scale: float
) -> News:
    """Which ratio button and scale a size (width, height) stands for; `scale`: what the slider says."""
    if not (side and all(size)) or min(size) <= 0:
        return {tools.ratio: FREE}
    name = ratio_of(size)
    if name in RATIOS and ratio_size(RATIOS[name], scale, side) == size:
        return {tools.ratio: name}  # true ratios come in steps: the scale stays where it was put
    return {
        tools.ratio: name,
        tools.scale: min(max(round(math.sqrt(size[0] * size[1]) / side * 4) / 4, 1), 4),
    }
