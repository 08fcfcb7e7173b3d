"""Texts without their padding. Every family of the table has its turn in tests/each_family."""

import pytest
import torch

from picturelab.hooks.text_encoders import _padded_from, text_encoders
from picturelab.text_lengths import TRUE_LENGTH, encoded_as, may_leave_out, way_of
from tests.tiny import text_pipelines

PROMPT = "a red cat on the left of a big old tree"


def picture(pipe, name):
    return text_pipelines.run(pipe, name, PROMPT, num_inference_steps=1)


def lengths_read(pipe):
    """What the encoders' embeddings are asked for, filled while the pipeline runs."""
    seen = []
    for encoder in text_encoders(pipe).values():
        for part in encoder.modules():
            if isinstance(part, torch.nn.Embedding):
                part.register_forward_hook(lambda module, args, output: seen.append(args[0].shape[-1]))
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pixart_sigma", "z_image"])
def test_a_picture_does_not_depend_on_the_padding_that_is_left_out(name):
    check_same_picture(name)


def check_same_picture(name):
    pipe = text_pipelines.fresh(name)
    assert way_of(pipe, pad_text=False) == TRUE_LENGTH
    assert way_of(pipe, pad_text=True) is None
    seen = lengths_read(pipe)
    padded, there = picture(pipe, name), list(seen)
    seen.clear()
    with encoded_as(pipe, TRUE_LENGTH):
        short = picture(pipe, name)
    assert max(seen) < max(there)
    assert torch.allclose(short, padded, atol=1e-5)
    seen.clear()
    picture(pipe, name)
    assert seen == there, "everything is as before"


@pytest.mark.parametrize(
    ("mask", "length"),
    [
        ([[1, 1, 0, 0]], 2),
        ([[1, 1, 0, 0], [1, 1, 1, 0]], 3),
        ([[1, 1, 1, 1]], None),  # none
        ([[0, 0, 1, 1]], None),  # at the left
        ([[1, 0, 1, 0]], None),  # in the middle
        ([[0, 0, 0, 0]], None),  # nothing else
    ],
)
def test_only_padding_at_the_right_is_left_out(mask, length):
    mask = torch.tensor(mask)
    assert _padded_from(torch.zeros_like(mask), mask) == length
    assert _padded_from(torch.zeros_like(mask), None) is None


def test_what_can_be_told_before_a_model_is_loaded(tmp_path):
    for name, kind in (("pixart", "PixArtSigmaPipeline"), ("sd", "StableDiffusionPipeline")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model_index.json").write_text(f'{{"_class_name": "{kind}"}}')
    assert may_leave_out(str(tmp_path / "pixart"))
    assert not may_leave_out(str(tmp_path / "sd"))
    assert not may_leave_out("shapeworld/unet")
    assert may_leave_out("nobody/nothing"), "it cannot be told"
