"""What cannot be done is refused in one sentence that says why."""

import re

import pytest

from padtone.families.family import ACTIONS
from padtone.families.registry import family_of


def refused(pipe, action, attempt):
    """The attempt ends in the sentence that the family's entry holds."""
    family = family_of(pipe)
    if action in family.refused:
        sentence = f"{family.title} allows no {ACTIONS[action]}: {family.refused[action]}"
    else:
        sentence = f"{family.title} hands the denoiser no padding, so there is none to act on: {family.note}"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        attempt()
    assert "\n" not in sentence
