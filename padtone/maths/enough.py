"""How many prompts an unclear question would take, from the interval seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import stats

from .metrics import expanded_tail
from .verdict import FEWEST_PROMPTS, NO, UNCLEAR, YES, Finding

MOST = 10_000  # prompts; beyond, no number is named


def prompts_needed(finding: Finding) -> int | None:
    """Prompts whose interval of excess would no longer hold 0, if mean and spread stay as they are.

    An interval's half is proportional to c(n) / sqrt(n), with c the quantile of its expanded tail, see
    `padtone.maths.metrics.bootstrap`.

    Returns:
        The present number where the question is answered; None where more than `MOST` would be needed.
    """
    if finding.answer != UNCLEAR and finding.prompts >= FEWEST_PROMPTS:
        return finding.prompts
    excess = finding.excess
    if finding.prompts < 2:
        return None
    if excess.low == excess.high:  # all prompts alike
        return FEWEST_PROMPTS
    reach = excess.mean - excess.low if excess.mean > 0 else excess.high - excess.mean
    wanted = abs(excess.mean) / reach * _width(finding.prompts)
    low, high = FEWEST_PROMPTS, MOST
    if _width(high) >= wanted:  # the mean is next to 0
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _width(middle) < wanted else (middle + 1, high)
    return low


def _width(prompts: int) -> float:
    """Half an interval's width, in standard deviations of a figure."""
    return -float(stats.norm.ppf(expanded_tail(prompts))) / math.sqrt(prompts)


def to_answer(findings: Sequence[Finding]) -> int | None:
    """Prompts that would answer a question, as its figures' means stand; None: more than `MOST`.

    Args:
        findings: of one question, see `padtone.maths.verdict.changes` and `shows`.
    """
    likely = [YES if finding.excess.mean > 0 else NO for finding in findings]
    counts = [prompts_needed(finding) for finding in findings]
    if len(findings) == 2:
        return _of_either(likely, counts)
    signs, varies = _of_either(likely[:2], counts[:2]), counts[2]
    denials = [
        count for count, says_no in ((signs, YES not in likely[:2]), (varies, likely[2] == NO)) if says_no
    ]
    return _least(denials) if denials else _most([signs, varies])


def _of_either(likely: Sequence[str], counts: Sequence[int | None]) -> int | None:
    if YES in likely:
        return _least([count for answer, count in zip(likely, counts, strict=True) if answer == YES])
    return _most(counts)


def _least(counts: Sequence[int | None]) -> int | None:
    return min((count for count in counts if count is not None), default=None)


def _most(counts: Sequence[int | None]) -> int | None:
    return None if None in counts else max(count for count in counts if count is not None)
