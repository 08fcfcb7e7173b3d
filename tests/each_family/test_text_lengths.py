"""Texts without their padding: the picture is the same where the table says so, and is not where it leaves one out."""

import pytest
import torch

from picturelab.hooks.text_encoders import at_true_length
from picturelab.text_lengths import PIPELINES, way_of
from tests.picturelab.test_text_lengths import check_same_picture, picture
from tests.tiny import text_pipelines

INSIDE = (
    "aura_flow", "hunyuan_image", "lumina2", "ovis", "pixart_alpha", "pixart_sigma", "prx", "sana", "z_image",
)  # fmt: skip


def test_the_table_is_what_is_tested():
    assert {type(text_pipelines.pipeline(name)).__name__ for name in INSIDE} == PIPELINES


@pytest.mark.parametrize("name", INSIDE)
def test_a_picture_does_not_depend_on_the_padding_that_is_left_out(name):
    check_same_picture(name)


@pytest.mark.parametrize("name", ["hunyuan_dit", "chroma", "flux2_klein"])
def test_where_padding_is_read_it_is_not_left_out(name):
    pipe = text_pipelines.fresh(name)
    assert way_of(pipe, pad_text=False) is None
    padded = picture(pipe, name)
    with at_true_length(pipe):
        short = picture(pipe, name)
    assert not torch.allclose(short, padded, atol=1e-5)
