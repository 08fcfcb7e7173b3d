"""What FouriScale would do, in words."""

from __future__ import annotations

import math

from picturelab.amounts import gibibytes

from ..config import FouriScaleConfig
from ..maths import sizes
from ..maths.wrap import EDGES, WRAPS
from ..sampling.cascade import sentence
from .explain import Explanation, GridPhase

_OF_THE_FULL_GRID = (
    "unfiltered", "stop", "anneal", "floor", "weak_dilation_divisor", "convolution", "size_rule", "border"
)  # fmt: skip
_ATTENTION = {
    "full": "full self-attention",
    "polyphase": "polyphase self-attention",
    "downsampled keys": "self-attention to downsampled keys",
}


def _late(config: FouriScaleConfig) -> str:
    late = config.chosen("late_attention")
    return "as they were" if late == "full" else f"with {_ATTENTION[late]}"


def _parts(config: FouriScaleConfig) -> str:
    branch = "with" if config.chosen("third_branch") else "without"
    attention = _ATTENTION[config.chosen("attention")]
    if config.deep:
        return f"deep grid, {attention} outside of it, {branch} the third branch"
    return f"{attention}, {config.chosen('convolution')} convolutions, {branch} the third branch"


def sentences(explanation: Explanation) -> list[str]:
    """An explanation in words, one line a subject; a subject may have several."""
    height, width = explanation.size
    base = _sides(explanation.fit.training_size)
    size = [f"size: width {width}, height {height}"]
    if explanation.cascade is not None:
        parts = sentence(explanation.cascade, explanation.config, height, width, explanation.steps)
        size.append(f"cascade: {parts}")
    if explanation.config.wrap != "none":
        size.append(
            f"wrap: {EDGES[explanation.config.wrap]} for every convolution of UNet and autoencoder, in all steps"
        )
    if explanation.fit.dilation == 1:
        within = "lies within it, so"
        if explanation.config.deep:
            factor = math.sqrt(height * width / math.prod(explanation.fit.training_size))
            within = f"is {factor:.2f} times that on each axis by area, and up to {sizes.TOLERANCE:g}"
        nothing = "nothing" if explanation.config.wrap == "none" else "nothing else"
        return [*size, f"training size: {base}; the size {within} {nothing} is done"]
    peak, direct = explanation.peak_values
    first, over = ("finishing ", "both parts of ") if explanation.first_size else ("", "")
    return [
        *size,
        f"training size: {base}{', which is told to the model as the size' if explanation.told else ''}",
        *(_of_the_grid(explanation) if explanation.config.deep else _of_the_convolutions(explanation)),
        f"mode: {explanation.config.mode}: {_parts(explanation.config)}",
        f"cost: {explanation.step_cost:.2f} times the multiply-adds of direct sampling in the first {first}step, "
        f"{explanation.run_cost:.2f} times over {over}the run",
        f"memory: feature maps of {gibibytes(4 * peak)} in float32, {gibibytes(2 * peak)} in float16, "
        f"{peak / direct:.2f} times those of direct sampling, beside the UNet's {explanation.parameters / 1e6:.1f} "
        "million weights",
    ]


def _of_the_convolutions(explanation: Explanation) -> list[str]:
    height, width = explanation.size
    padded = _padded(explanation)
    share = 1 - height * width / (padded[0] * padded[1])
    count, filtered = explanation.convolutions
    return [
        f"dilation: {explanation.fit.dilation} at most",
        f"padding: to {_sides(padded)} while filtering, {share:.0%} of it empty",
        f"layers: {count} convolutions, {filtered} of them filtered: {', '.join(explanation.config.layers)}",
        *_border(explanation.config),
        f"steps: {_first(explanation)} active, the others {_late(explanation.config)}",
    ]


def _border(config: FouriScaleConfig) -> list[str]:
    return (
        [] if config.border == "zeros" else [f"border: {config.border}, which is experimental and does harm"]
    )


def _padded(explanation: Explanation) -> sizes.Size:
    """What maps are padded to, in pixels of the picture."""
    height, width = (
        side if closed else max(wanted, side)
        for side, wanted, closed in zip(
            explanation.size, explanation.fit.padded_size, WRAPS[explanation.config.wrap], strict=True
        )
    )
    return height, width


def _of_the_grid(explanation: Explanation) -> list[str]:
    factor = f"factor: {explanation.fit.dilation:.2f} on each axis, the root of the areas' ratio"
    if not explanation.grids:
        return [
            factor,
            f"grid: in none of {explanation.steps} steps; all of them {_late(explanation.config)}",
        ]
    grid = explanation.grids[0].grid
    return [
        factor,
        *(_phase(phase, explanation.steps) for phase in explanation.grids),
        f"blocks: down_blocks.{grid.level} to up_blocks.{grid.levels - 1 - grid.level} on the grid, by "
        f"{grid.resampling}; no convolution is dilated or filtered",
        *_without_effect(explanation.config),
        f"steps: {_first(explanation)} on the grid, the others {_late(explanation.config)}",
    ]


def _first(explanation: Explanation) -> str:
    """The active steps, of a run or of those that finish a cascade."""
    if explanation.first_size is None:
        return f"the first {explanation.active} of {explanation.steps}"
    return f"of the last {len(explanation.dilations)} of {explanation.steps} the first {explanation.active}"


def _without_effect(config: FouriScaleConfig) -> list[str]:
    """Settings of the full grid that somebody has chosen, or a preset."""
    fields = type(config).model_fields
    names = [name for name in _OF_THE_FULL_GRID if getattr(config, name) != fields[name].default]
    return [f"without effect on the deep grid: {', '.join(names)}"] if names else []


def _phase(phase: GridPhase, steps: int) -> str:
    levels = [
        f"level {level} runs on {_sides(phase.grid.small(level))} instead of {_sides(phase.grid.full(level))}"
        for level in range(phase.grid.level, phase.grid.levels)
    ]
    return f"grid: {', '.join(levels)}, until step {phase.stop} of {steps}"


def _sides(size: sizes.Size) -> str:
    return f"width {size[1]}, height {size[0]}"
