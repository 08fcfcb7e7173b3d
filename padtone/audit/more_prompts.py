"""What an audit of more prompts would answer that this one leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..maths.enough import MOST, to_answer
from ..maths.verdict import FEWEST_PROMPTS, INCONCLUSIVE, UNCLEAR, KeepPoint, Verdict, answers


def more_prompts(decision: Verdict, curve: Sequence[KeepPoint], smallest: int | None) -> dict[str, Any]:
    """{"prompts": how many there were, "verdict", "number": how many each would take, "sentence"}.

    None stands for a number that is there already, or that no number of prompts would bring as the means stand.
    """
    prompts = min(finding.prompts for finding in decision.findings)
    for_verdict = _for_verdict(decision) if decision.name == INCONCLUSIVE else None
    for_number = None if smallest is not None else _for_number(decision, curve[-1])
    return {
        "prompts": prompts,
        "verdict": for_verdict,
        "number": for_number,
        "sentence": _sentence(prompts, decision.name, smallest, for_verdict, for_number),
    }


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


def _sentence(
    prompts: int, name: str, smallest: int | None, for_verdict: int | None, for_number: int | None
) -> str:
    lacking = []
    if name == INCONCLUSIVE:
        lacking.append("decide")
    if smallest is None:
        lacking.append("name how many padding tokens can go")
    if not lacking:
        return ""
    counts = ([for_verdict] if name == INCONCLUSIVE else []) + ([for_number] if smallest is None else [])
    known = [count for count in counts if count is not None and count > prompts]
    start = f"{prompts} prompts cannot {' or '.join(lacking)}"
    if not known:
        return f"{start}; as the effects stand here, more of them would not either."
    if len(known) < len(counts):
        which = "decide" if for_verdict in known else "name the number"
        return f"{start}; about {_rounded(max(known))} would {which}, if the effects stay as they are here."
    return f"{start}; about {_rounded(max(known))} would, if the effects stay as they are here."


def _rounded(prompts: int) -> int:
    """Up to what an estimate deserves: two digits."""
    step = 1 if prompts < 20 else 5 if prompts < 100 else 10 ** (len(str(prompts)) - 2) * 5
    return min(-(-prompts // step) * step, MOST)
