"""Trimming and replacing in every family: the same picture as masking, with fewer rows."""

import pytest

import padtone
from tests.each_family.refusals import refused
from tests.tiny import padding_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import UNPADDED, can

COLUMN = "trim"


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_equals_masking(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "trim"):
        refused(pipe, "trim", lambda: padtone.trim_padding(pipe).__enter__())
        return
    for keep in (0, 3):
        checks.trimming_equals_masking(pipe, name, keep)
    if name not in UNPADDED:
        checks.trimming_takes_tokens_out(pipe, name)


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_a_batch_gets_what_its_members_get(tiny, name):
    if can(tiny(name), "trim"):
        checks.a_batch_gets_what_its_members_get(tiny(name), name, "trim")


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_replacing_is_the_prompt_arm(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "replace"):
        refused(pipe, "replace", lambda: padtone.replace_padding(pipe).__enter__())
    elif name not in UNPADDED:
        checks.replacing_is_the_prompt_arm(pipe, name)


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_restored_bit_by_bit(tiny, name):
    checks.restored_bit_by_bit(tiny(name), name)
