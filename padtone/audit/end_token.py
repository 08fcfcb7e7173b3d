"""The end token beside the padding: which of the two shows more of the prompt when it stands alone?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maths.metrics import Interval, bootstrap
from ..maths.verdict import FEWEST_PROMPTS
from .scores import Scores

_FIGURE = "own_full"  # likeness to the own prompt's picture beyond other prompts', where chance gives 0


def end_token(scores: Scores) -> dict[str, Any] | None:
    """{"eos", "padding", "difference": prompt by prompt, "sentence"}; None: no end token, or too few prompts."""
    arms = ("ite eos", "ite padding")
    if any(arm not in scores.arms for arm in arms):
        return None
    rows = scores.rows(arms[0]) & scores.rows(arms[1])
    eos, padding = (scores.arms[arm][_FIGURE][rows].mean(1) for arm in arms)
    finite = np.isfinite(eos) & np.isfinite(padding)
    if finite.sum() < FEWEST_PROMPTS:
        return None
    figures = [bootstrap(values[finite]) for values in (eos, padding, eos - padding)]
    names = ("eos", "padding", "difference")
    return {name: figure.to_dict() for name, figure in zip(names, figures, strict=True)} | {
        "sentence": _sentence(*figures)
    }


def _sentence(eos: Interval, padding: Interval, difference: Interval) -> str:
    said = {
        difference.low > 0: "The end token alone shows more of the prompt than the padding alone",
        difference.high < 0: "The end token alone shows less of the prompt than the padding alone",
    }.get(True, "Whether the end token alone shows more of the prompt than the padding alone is unclear")
    against = f"{_text(eos)} against {_text(padding)}"
    return f"{said}: likeness to the prompt's own picture, beyond other prompts', {against}."


def _text(figure: Interval) -> str:
    return f"{figure.mean:.2f} ({figure.low:.2f} to {figure.high:.2f})"
