"""The end token beside the padding, prompt by prompt."""

import numpy as np
import pytest
import torch

from padtone.audit.end_token import end_token
from padtone.audit.scores import Scores

PROMPTS = 8


def scores(**arms):
    """Two seeds a prompt, both with the arm's figure of that prompt."""
    made = Scores(range(PROMPTS), torch.ones(PROMPTS, 3), 2, {})
    for arm, values in arms.items():
        for row, value in enumerate(values):
            for seed in range(2):
                for figure in ("to_full", "own_full"):
                    made.put(f"ite {arm}", figure, row, seed, value)
    return made


BASE = np.linspace(0.1, 0.5, PROMPTS)  # prompts differ by far more than the arms do


@pytest.mark.parametrize(
    ("more", "start"),
    [
        (0.02, "The end token alone shows more of the prompt than the padding alone: "),
        (-0.02, "The end token alone shows less of the prompt than the padding alone: "),
    ],
)
def test_they_are_compared_prompt_by_prompt(more, start):
    found = end_token(scores(eos=BASE + more, padding=BASE))
    assert found["difference"]["mean"] == pytest.approx(more)
    assert (found["eos"]["mean"], found["padding"]["mean"]) == pytest.approx((0.3 + more, 0.3))
    assert found["sentence"].startswith(start)
    assert f"{0.3 + more:.2f} (" in found["sentence"]


def test_a_difference_that_holds_0_is_unclear():
    aside = BASE + np.tile([0.1, -0.1], PROMPTS // 2)
    assert end_token(scores(eos=aside, padding=BASE))["sentence"].startswith(
        "Whether the end token alone shows more"
    )


def test_of_fewer_prompts_than_a_verdict_takes_nothing_is_said():
    """Of two prompts, likeness beyond other prompts is the same for both, so an interval would have no width."""
    few = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert end_token(scores(eos=[*few, *[np.nan] * 3], padding=[*few, *[np.nan] * 3])) is None


def test_without_an_end_token_there_is_nothing_to_say():
    assert end_token(scores(padding=BASE)) is None
    assert end_token(scores(eos=[np.nan] * PROMPTS, padding=BASE)) is None
