"""The figure that a verdict rests on, with its interval, in one sentence; and how to read IDP beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..audit.arms import ANOTHER_SEED, FULL, OTHER
from ..maths.verdict import DIFFUSION, IGNORED, TEXT, YES

_CARRIED = "Does padding alone show the prompt?"
_READ = "Does the picture change with another prompt's padding?"
_INSIDE = "Does padding alone show it, inside the denoiser?"
_JUDGED = "background correct"  # a judge's figure: all that padding was seen to carry in the shipped models


def deciding_sentence(results: Mapping[str, Any]) -> str:
    """Such as "With another prompt's padding the background is wrong in 88% of the pictures (80% to 95%), ...".

    Args:
        results: the content of report.json.

    Returns:
        Empty where the verdict is inconclusive.
    """
    arms, answers = results["arms"], results["answers"]
    if results["verdict"] == DIFFUSION:
        return _alone("Padding alone, inside the denoiser,", arms["idp"]["padding"], arms["ite"]["clean"])
    if results["verdict"] == IGNORED or (results["verdict"] == TEXT and answers[_READ] == YES):
        return _swapped("another prompt's", arms["ite"][OTHER], arms["ite"])
    if results["verdict"] != TEXT:
        return ""
    if answers[_CARRIED] == YES:
        return _alone("Padding alone", arms["ite"]["padding"], arms["ite"]["clean"])
    return _swapped("an empty text's", arms["ite"]["prompt"], arms["ite"])


def came_in(results: Mapping[str, Any]) -> str:
    """How to read what IDP shows where the encoder has written already; empty where it has not."""
    answers = results["answers"]
    if answers[_CARRIED] != YES or answers.get(_INSIDE) != YES:
        return ""
    return (
        "Padding alone shows the prompt inside the denoiser too, but the encoder has written into it already: it "
        "came in with the encoding, so it says nothing about the denoiser."
    )


def _swapped(whose: str, own: Mapping[str, Any], ite: Mapping[str, Any]) -> str:
    if _JUDGED in own:
        wrong, before = (
            _share(own[_JUDGED], " of the pictures", wrong=True),
            _share(ite[FULL][_JUDGED], wrong=True),
        )
        return f"With {whose} padding the background is wrong in {wrong}, with the prompt's own in {before}."
    like, seed = _number(own["to_full"]), _number(ite[ANOTHER_SEED]["to_full"])
    return f"With {whose} padding the likeness to the full picture is {like}, with another seed it is {seed}."


def _alone(what: str, own: Mapping[str, Any], clean: Mapping[str, Any]) -> str:
    if _JUDGED in own:
        right, chance = _share(own[_JUDGED], " of the pictures"), _share(clean[_JUDGED])
        return f"{what} has the prompt's background in {right}, an empty text in {chance}."
    like, empty = _number(own["own_full"]), _number(clean["own_full"])
    return (
        f"{what} is like the prompt's own picture beyond other prompts' by {like}, an empty text by {empty}."
    )


def _share(figure: Mapping[str, float], of: str = "", *, wrong: bool = False) -> str:
    mean, low, high = (figure[name] for name in ("mean", "low", "high"))
    if wrong:
        mean, low, high = 1 - mean, 1 - high, 1 - low
    return f"{mean:.0%}{of} ({low:.0%} to {high:.0%})"


def _number(figure: Mapping[str, float]) -> str:
    return "{mean:.2f} ({low:.2f} to {high:.2f})".format(**figure)
