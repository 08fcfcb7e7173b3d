"""What to mind about an explained run, in words."""

from __future__ import annotations

import math

from .explain import Explanation
from .explain_model import AnyExplanation
from .explain_positions import PositionsExplanation

STUDIED = 4  # times the training size on each axis
_MUCH = 0.5  # of the padding


def warnings_of(explanation: AnyExplanation) -> list[str]:
    """Where a size leaves what was studied, and where it matters which side is the longer one."""
    if isinstance(explanation, PositionsExplanation):
        return _unstudied(
            math.sqrt(explanation.tokens / explanation.training_tokens), "on average of the sides"
        )
    return _unstudied(explanation.fit.dilation, "on each axis") + _of_a_unet(explanation)


def _unstudied(times: float, sides: str) -> list[str]:
    if times <= STUDIED:
        return []
    return [f"warning: {times:.3g} times the training size {sides}; no more than {STUDIED} was studied"]


def _of_a_unet(explanation: Explanation) -> list[str]:
    height, width = explanation.size
    fit, config = explanation.fit, explanation.config
    lines = []
    if not config.deep and fit.dilation > 1:
        padded = max(fit.padded_size[0], height) * max(fit.padded_size[1], width)
        if (empty := 1 - height * width / padded) > _MUCH:
            lines.append(
                f"warning: {empty:.0%} of what is filtered is padding; a size nearer to a multiple of a training "
                "size has less"
            )
    turned = config.fit(width, height)
    if (turned.training_size[::-1], turned.dilation) != (fit.training_size, fit.dilation):
        lines.append(
            f"warning: turned by 90 degrees this size is made from another training size, {turned.dilation:.3g} times "
            f"width {turned.training_size[1]}, height {turned.training_size[0]} in place of {fit.dilation:.3g} times "
            f"width {fit.training_size[0]}, height {fit.training_size[1]}, so the two may differ in quality"
        )
    return lines
