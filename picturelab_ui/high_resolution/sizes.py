"""Aspect ratio, scale, width and height of the first tab, which follow each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gradio as gr

from ..events import AT_ONCE, News, answer
from ..forms import Form
from .config_fields import parse_sizes
from .controls import FREE, RATIOS, HighResolutionTools

_GRID = 16  # pixels: what the ratio buttons round to


def ratio_size(ratio: tuple[float, float], scale: float, side: int) -> tuple[int, int]:
    """(width, height): a rectangle of a ratio (width, height) and the area of (scale x side) squared, rounded."""
    across, down = ratio
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
        side = training_side(values[training])
        shape = RATIOS.get(values[tools.ratio], (values[width], values[height]))
        if not side or not all(shape):
            return gr.skip()
        return dict(zip((width, height), ratio_size(shape, values[tools.scale], side), strict=True))

    def follow(values: Mapping[Any, Any]) -> Any:
        size = values[width], values[height]
        return answer(_ratio_and_scale(tools, size, training_side(values[training])))

    inputs = {tools.ratio, tools.scale, training, width, height}
    gr.on([tools.ratio.input, tools.scale.release], resize, inputs, [width, height], **AT_ONCE)
    gr.on(
        [width.change, height.change],
        follow,
        {training, width, height},
        [tools.ratio, tools.scale],
        **AT_ONCE,
    )


def _ratio_and_scale(tools: HighResolutionTools, size: tuple[Any, Any], side: int | None) -> News:
    """Which ratio button and scale a size (width, height) stands for."""
    if not (side and all(size)) or min(size) <= 0:
        return {tools.ratio: FREE}
    scale = min(max(round(math.sqrt(size[0] * size[1]) / side * 4) / 4, 1), 4)
    fitting = (name for name, shape in RATIOS.items() if ratio_size(shape, scale, side) == size)
    return {tools.ratio: next(fitting, FREE), tools.scale: scale}
