"""Masking in every family: it equals cropping, in a batch as alone, and says where it changes nothing."""

import pytest

import padtone
from tests.each_family.refusals import refused
from tests.tiny import padding_checks as checks
from tests.tiny import text_pipelines
from tests.tiny.family_calls import UNPADDED, can

COLUMN = "mask"
# No padding to crop for one prompt; or another way to the padding: HunyuanDiT also pools T5's rows.
_NOTHING_TO_CROP = (*UNPADDED, "hunyuan_dit")


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_equals_cropping_in_the_denoiser(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "mask"):
        refused(pipe, "mask", lambda: padtone.mask_padding(pipe).__enter__())
        return
    for keep in (0, 3):
        if name not in _NOTHING_TO_CROP:
            checks.masking_equals_cropping(pipe, name, keep)
    if name != "lumina2" or can(pipe, "trim"):
        checks.a_mask_says_what_it_changes(pipe, name)


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_a_batch_gets_what_its_members_get(tiny, name):
    if can(tiny(name), "mask"):
        checks.a_batch_gets_what_its_members_get(tiny(name), name, "mask")
