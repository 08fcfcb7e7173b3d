"""What an audit of more prompts would answer."""

import pytest

from padtone.audit.more_prompts import more_prompts, more_steps, within_reach
from padtone.maths.metrics import Interval
from padtone.maths.verdict import IGNORED, INCONCLUSIVE, NO, TEXT, UNCLEAR, YES, Finding, KeepPoint, Verdict


def pair(question, mean, reach, prompts=8):
    answer = YES if mean > reach else NO if mean < -reach else UNCLEAR
    interval = Interval(mean, mean - reach, mean + reach)
    return tuple(Finding(question, name, mean, 0.0, interval, answer, prompts, ()) for name in ("a", "b"))


SEEN = pair("Does the text change the picture at all?", 0.5, 0.1)


def asked(name, smallest=None, prompts=8, sees=True, other=(-0.1, 0.2), most_kept=(-0.1, 0.25)):
    findings = (*pair(SEEN[0].question, 0.5, 0.1, prompts), *pair("Does it change?", *other, prompts))
    decision = Verdict(name, "", findings, sees)
    kept = pair("Does keeping 8 change it?", *most_kept, prompts)
    return more_prompts(decision, [KeepPoint(8, kept, kept[0].answer)], smallest)


def test_nothing_is_said_where_all_is_known():
    assert asked(IGNORED, smallest=4)["sentence"] == ""


def test_a_number_of_tokens_takes_more_prompts():
    answer = asked(IGNORED)
    assert answer["verdict"] is None
    # c(n) / sqrt(n), with Student's t of n - 1 degrees: 0.894 of 8, and 0.3542 of 34 < 0.894 / 2.5 < 0.3600 of 33.
    assert answer["number"] == 34
    assert answer["sentence"] == (
        "8 prompts cannot name how many padding tokens can go; about 35 prompts would, if the effects stay as they are "
        "here."
    )


def test_a_verdict_too():
    answer = asked(INCONCLUSIVE)
    assert answer["verdict"] < answer["number"]
    assert answer["sentence"].startswith(
        "8 prompts cannot decide or name how many padding tokens can go; about 35 prompts w"
    )


def test_where_more_would_not_help():
    answer = asked(IGNORED, most_kept=(0.1, 0.2))
    assert answer["number"] is None
    assert answer["sentence"].endswith("; as the effects stand here, more of them would not either.")
    assert "about 25 prompts would decide, if" in asked(INCONCLUSIVE, most_kept=(0.1, 0.2))["sentence"]


@pytest.mark.parametrize("prompts", [2, 5])
def test_fewer_than_a_verdict_takes(prompts):
    answer = asked(INCONCLUSIVE, prompts=prompts, sees=False, other=(-0.3, 0.1), most_kept=(-0.3, 0.1))
    assert (answer["verdict"], answer["number"]) == (6, 6)
    assert answer["sentence"] == (
        f"{prompts} prompts cannot decide or name how many padding tokens can go; a verdict needs 6, a number of "
        "tokens seldom fewer than 64."
    )


def test_more_prompts_than_is_practical():
    answer = asked(INCONCLUSIVE, other=(-0.01, 0.2))
    assert answer["verdict"] > 1000
    assert "for the other, effects this small would take more than is practical." in answer["sentence"]
    assert "about 35 prompts would name how many padding tokens can go, if" in answer["sentence"]
    assert within_reach(answer)
    answer = asked(IGNORED, most_kept=(-0.01, 0.2))
    assert answer["sentence"].endswith("go; effects this small would take more prompts than is practical.")
    assert not within_reach(answer)
    assert more_steps(answer, 10, 25).endswith("these have 10, and the model's own number is 25.")
    assert more_steps(answer, 25, 25) == more_steps(answer, 10, None) == answer["sentence"]
    near = asked(IGNORED)
    assert more_steps(near, 10, 25) == near["sentence"]


def test_where_the_most_kept_change_the_picture_the_number_is_known():
    assert asked(TEXT, most_kept=(0.3, 0.1))["sentence"] == ""
