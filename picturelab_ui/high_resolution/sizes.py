"""Aspect ratio, scale, width and height of the first tab, which follow each other."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr

from . import order
from .controls import FREE, RATIOS

_GRID = 16  # pixels: what the ratio buttons round to


def ratio_size(ratio: tuple[float, float], scale: float, side: int) -> tuple[int, int]:
    """(width, height): a rectangle of a ratio (width, height) and the area of (scale x side) squared, rounded."""
    across, down = ratio
    long = scale * side * math.sqrt(across / down)
    rounded = (max(_GRID, round(v / _GRID) * _GRID) for v in (long, long * down / across))
    width, height = rounded
    return width, height


def _training_side(training: str) -> int | None:
    """The side in pixels of a square as large as the training size nearest to a square; None: not understood."""
    try:
        sides = [order.parse_size(line) for line in training.splitlines()]
        height, width = min(sides, key=lambda pair: abs(pair[0] - pair[1]))
    except ValueError:  # the plan says what is wrong with it
        return None
    return round(math.sqrt(height * width)) or None


def wire(fields: dict[str, Any], size: dict[str, Any]) -> None:
    """Ratio buttons and scale write width and height, and follow them however those come about."""

    def resize(ratio: str, scale: float, training: str, width: Any, height: Any) -> tuple[Any, Any]:
        side = _training_side(training)
        shape = RATIOS.get(ratio, (width, height))
        return ratio_size(shape, scale, side) if side and all(shape) else (gr.skip(), gr.skip())

    def follow(training: str, width: Any, height: Any) -> tuple[Any, Any]:
        side = _training_side(training)
        if not (side and width and height) or min(width, height) <= 0:
            return FREE, gr.skip()
        scale = min(max(round(math.sqrt(width * height) / side * 4) / 4, 1), 4)
        fitting = (r for r, shape in RATIOS.items() if ratio_size(shape, scale, side) == (width, height))
        return next(fitting, FREE), scale

    both, training = [fields["width"], fields["height"]], fields["training_sizes"]
    given = [size["ratio"], size["scale"], training, *both]
    quick: dict[str, Any] = dict(show_progress="hidden", api_visibility="private", queue=False)
    gr.on([size["ratio"].input, size["scale"].release], resize, given, both, **quick)
    gr.on([s.change for s in both], follow, [training, *both], [size["ratio"], size["scale"]], **quick)
