"""How many prompts an unclear question would take."""

import numpy as np
import pytest

from padtone.maths.enough import prompts_needed, to_answer
from padtone.maths.metrics import Interval
from padtone.maths.verdict import NO, UNCLEAR, YES, Finding, finding


def found(mean, reach, answer=UNCLEAR, prompts=100):
    return Finding(
        "Is it so?", "to_full", mean, 0.0, Interval(mean, mean - reach, mean + reach), answer, prompts, ()
    )


def test_an_interval_twice_too_wide_takes_four_times_the_prompts():
    assert prompts_needed(found(0.1, 0.2)) == pytest.approx(400, rel=0.03)
    assert prompts_needed(found(-0.1, 0.2)) == prompts_needed(found(0.1, 0.2))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (found(0.2, 0.1, YES, 12), 12),  # answered already
        (found(0.2, 0.1, YES, 3), 6),  # but by fewer than a verdict takes
        (found(0.0, 0.0, NO, 4), 6),
        (found(1e-6, 0.2), None),
        (found(0.1, 0.2, prompts=1), None),
    ],
)
def test_what_needs_no_more_or_gets_no_number(one, expected):
    assert prompts_needed(one) == expected


def test_the_number_does_what_it_says():
    """Twelve prompts are unclear; so many of the same mean and spread are not."""
    few = np.tile([-0.05, 0.08, 0.01, 0.06, -0.04, 0.0], 2)
    unclear = finding("?", "to_full", few, np.zeros(12))
    needed = prompts_needed(unclear)
    assert unclear.answer == UNCLEAR
    many = np.resize(few, needed - needed % 6 + 6)
    assert finding("?", "to_full", many, np.zeros(len(many))).answer == YES


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ((found(0.1, 0.2), found(-0.1, 0.4)), found(0.1, 0.2)),  # either yes will do
        ((found(-0.1, 0.2), found(-0.1, 0.4)), found(-0.1, 0.4)),  # both have to say no
        ((found(0.1, 0.2), found(-0.1, 0.4), found(0.1, 0.3)), found(0.1, 0.3)),  # a sign, and it has to vary
        ((found(0.1, 0.2), found(0.1, 0.4), found(-0.1, 0.3)), found(-0.1, 0.3)),  # one no will do
        ((found(-0.1, 0.2), found(-0.1, 0.4), found(-0.1, 0.3)), found(-0.1, 0.3)),
    ],
)
def test_of_several_figures_the_rule_decides(findings, expected):
    assert to_answer(findings) == prompts_needed(expected)
