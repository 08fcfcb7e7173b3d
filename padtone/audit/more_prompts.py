"""What an audit of more prompts would answer that this one leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ..maths.enough import to_answer
from ..maths.verdict import (
    FEWEST_PROMPTS,
    INCONCLUSIVE,
    UNCLEAR,
    KeepPoint,
    Verdict,
    answers,
    none_can_go,
)

_NUMBER = 64  # prompts, which named one for four of our five models: docs/audit.md
PRACTICAL = 1000  # prompts; who would need more has effects too small for an audit


def more_prompts(decision: Verdict, curve: Sequence[KeepPoint], smallest: int | None) -> dict[str, Any]:
    """{"prompts": how many there were, "verdict", "number": how many each would take, "sentence"}.

    None stands for a number that is there already, or that no number of prompts would bring as the means stand.
    """
    prompts = min(finding.prompts for finding in decision.findings)
    for_verdict = _for_verdict(decision) if decision.name == INCONCLUSIVE else None
    for_number = None if smallest is not None else _for_number(decision, curve[-1])
    lacking = {}
    if decision.name == INCONCLUSIVE:
        lacking["decide"] = for_verdict
    if smallest is None and not none_can_go(decision, curve):
        lacking["name how many padding tokens can go"] = for_number
    return {
        "prompts": prompts,
        "verdict": for_verdict,
        "number": for_number,
        "sentence": _sentence(prompts, lacking),
    }


def within_reach(more: Mapping[str, Any]) -> bool:
    """Whether a practical number of prompts would answer something more.

    Args:
        more: what `more_prompts` gives.
    """
    return any(count is not None and count <= PRACTICAL for count in (more["verdict"], more["number"]))


def more_steps(more: Mapping[str, Any], steps: int | None, usual: int | None) -> str:
    """The sentence, and that the pictures had fewer steps than the model's own where prompts alone would not do.

    Args:
        more: what `more_prompts` gives.
        steps: of the audit's pictures; None: not known.
        usual: the model's own number; None: not known.
    """
    sentence = str(more["sentence"])
    beyond = any(count is not None and count > PRACTICAL for count in (more["verdict"], more["number"]))
    if not (sentence and beyond and steps and usual and steps < usual):
        return sentence
    own = f"these have {steps}, and the model's own number is {usual}"
    return f"{sentence} Pictures of more steps may show larger effects: {own}."


def _for_verdict(decision: Verdict) -> int | None:
    """Prompts that would answer every question that is unclear; None: none is, or too many."""
    questions = [
        tuple(group) for _, group in groupby(decision.findings, key=lambda finding: finding.question)
    ]
    few = any(finding.prompts < FEWEST_PROMPTS for finding in decision.findings)
    open_ones = [question for question in questions if few or UNCLEAR in answers(question).values()]
    counts = [to_answer(question) for question in open_ones]
    return None if None in counts else max((count for count in counts if count is not None), default=None)


def _for_number(decision: Verdict, most_kept: KeepPoint) -> int | None:
    """Prompts that would name a number of tokens that can go: the text is seen, and the most kept change nothing."""
    if any(finding.excess.mean > 0 for finding in most_kept.findings):
        return None
    sees = None if decision.sees else to_answer(decision.findings[:2])
    own = to_answer(most_kept.findings)
    if own is None or (not decision.sees and (sees is None or not _may_be_seen(decision))):
        return None
    return max(own, sees or 0)


def _may_be_seen(decision: Verdict) -> bool:
    return any(finding.excess.mean > 0 for finding in decision.findings[:2])


def _sentence(prompts: int, lacking: Mapping[str, int | None]) -> str:
    """What is open, and what it would take.

    Args:
        lacking: {what the prompts cannot do: how many could; None: no number could}.
    """
    if not lacking:
        return ""
    start = f"{prompts} prompts cannot {' or '.join(lacking)}"
    if prompts < FEWEST_PROMPTS:  # whose spread says little
        return f"{start}; a verdict needs {FEWEST_PROMPTS}, a number of tokens seldom fewer than {_NUMBER}."
    known = {what: count for what, count in lacking.items() if count is not None and count > prompts}
    if not known:
        return f"{start}; as the effects stand here, more of them would not either."
    near = {what: count for what, count in known.items() if count <= PRACTICAL}
    if not near:
        return f"{start}; effects this small would take more prompts than is practical."
    which = "" if len(near) == len(lacking) else f" {next(iter(near))}"
    rest = "; for the other, effects this small would take more than is practical" if near != known else ""
    about = f"about {_rounded(max(near.values()))} prompts would{which}, if the effects stay as they are here"
    return f"{start}; {about}{rest}."


def _rounded(prompts: int) -> int:
    """Up to what an estimate deserves: two digits."""
    step = 1 if prompts < 20 else 5 if prompts < 100 else 10 ** (len(str(prompts)) - 2) * 5
    return min(-(-prompts // step) * step, PRACTICAL)
