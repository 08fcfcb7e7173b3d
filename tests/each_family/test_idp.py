"""IDP in every family: the recipient reads the donor's rows, and nothing else is touched."""

import pytest

import padtone
from padtone.families.registry import family_of
from tests.each_family.refusals import refused
from tests.tiny import swapping_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import PROMPT, call, can

COLUMN = "idp"


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_bit_by_bit(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "idp"):
        refused(pipe, "idp", lambda: padtone.idp(pipe, PROMPT, [0], **call(name)))
        return
    checks.full_onto_full_is_the_plain_batch_bit_by_bit(pipe, name)
    checks.keeping_nothing_is_the_plain_batch_bit_by_bit(pipe, name)


@pytest.mark.parametrize(
    "name", [n for n in text_pipelines.ALL if n != "hunyuan_dit"]
)  # its T5 is pooled too
def test_all_rows_make_the_donors_image(tiny, name):
    if can(tiny(name), "idp"):
        checks.all_rows_make_the_donors_image(tiny(name), name)


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_recipient_reads_the_donors_rows_at_every_block(tiny, name):
    pipe = tiny(name)
    if can(pipe, "idp"):
        checks.recipient_reads_the_donors_rows_at_every_block(pipe, name)
        if family_of(pipe).joint and name not in ("cogview4", "prx"):
            checks.planted_vector_is_found(pipe, name)
