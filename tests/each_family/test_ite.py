"""ITE in every family: which rows come from where, and the pictures made of them."""

import pytest

import padtone
from tests.each_family.refusals import refused
from tests.tiny import swapping_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import PROMPT, can

COLUMN = "ite"


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_arms_are_made_of_full_and_clean(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "ite"):
        refused(pipe, "ite", lambda: padtone.ite(pipe, PROMPT, [0]))
        return
    checks.arms_are_made_of_full_and_clean(pipe, name)
    checks.clean_does_not_depend_on_the_prompt(pipe, name)


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_full_is_the_plain_image(tiny, name):
    if can(tiny(name), "ite"):
        checks.full_is_the_plain_image(tiny(name), name)
