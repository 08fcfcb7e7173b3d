"""Prompts encoded alone, and put together to batches."""

import contextlib
import logging
from types import SimpleNamespace

import pytest
import torch

from fouriscale.sampling.generate import generate
from fouriscale.sampling.prompts import encode, encode_all, remark_cuts, stacked
from picturelab.remarks import Remark
from tests.tiny import unet_pipelines


class Reader:
    """A pipeline whose encodings say what was read: the length of the prompt and of the negative one.

    Args:
        kind: how many tensors its `encode_prompt` gives, 2 as Stable Diffusion or 4 as XL.
    """

    _execution_device = torch.device("cpu")
    unet = SimpleNamespace(device=torch.device("cpu"))

    def __init__(self, kind=2):
        self.kind, self.read = kind, []

    def encode_prompt(
        self, prompt, device, num_images_per_prompt, do_classifier_free_guidance, negative_prompt
    ):
        assert num_images_per_prompt == 1
        assert not torch.is_grad_enabled()
        self.read.append((prompt, negative_prompt, do_classifier_free_guidance))
        texts = [
            torch.full((1, 3, 2), float(len(prompt))),
            torch.full((1, 3, 2), -float(len(negative_prompt or "")))
            if do_classifier_free_guidance
            else None,
        ]
        return tuple(texts + [None if text is None else text[:, 0] for text in texts])[: self.kind]


def test_guidance_decides_whether_the_negative_prompt_is_read():
    pipe = Reader()
    guided = encode(pipe, "abcd", "xy", 7.5)
    assert {name: value.flatten()[0].item() for name, value in guided.items()} == {
        "prompt_embeds": 4,
        "negative_prompt_embeds": -2,
    }
    assert set(encode(pipe, "abcd", "xy", 1.0)) == {"prompt_embeds"}
    assert pipe.read == [("abcd", "xy", True), ("abcd", "xy", False)]


def test_xl_has_pooled_encodings_too():
    texts = encode(Reader(4), "abc", None, 5.0)
    assert {name: tuple(value.shape) for name, value in texts.items()} == {
        "prompt_embeds": (1, 3, 2),
        "negative_prompt_embeds": (1, 3, 2),
        "pooled_prompt_embeds": (1, 2),
        "negative_pooled_prompt_embeds": (1, 2),
    }


@pytest.mark.parametrize("pipe", [SimpleNamespace(), Reader(3)], ids=["no encode_prompt", "three tensors"])
def test_another_kind_of_pipeline_is_left_to_itself(pipe):
    assert encode(pipe, "abc", None, 5.0) is None


def test_equal_prompts_are_encoded_once_and_stand_in_order():
    pipe = Reader()
    texts = encode_all(pipe, ["abc", "a", "abc"], "xy", 5.0)
    assert texts["prompt_embeds"].shape == (3, 3, 2)
    assert texts["prompt_embeds"][:, 0, 0].tolist() == [3, 1, 3]
    assert texts["negative_prompt_embeds"][:, 0, 0].tolist() == [-2, -2, -2]
    assert [prompt for prompt, _, _ in pipe.read] == ["abc", "a"]


@pytest.mark.parametrize(("negative", "several"), [("xy", ["xy", "xy"]), (None, None)])
def test_another_kind_of_pipeline_gets_the_words(negative, several):
    assert encode_all(SimpleNamespace(), ["a", "b"], negative, 5.0) == {
        "prompt": ["a", "b"],
        "negative_prompt": several,
    }


def test_stacked_keeps_the_order():
    texts = [{"prompt_embeds": torch.full((1, 2), value)} for value in (1.0, 2.0)]
    assert stacked(texts, torch.device("cpu"))["prompt_embeds"].tolist() == [[1, 1], [2, 2]]


def long(end, words=80):
    return " ".join(["red"] * words) + f" {end}"


@pytest.mark.parametrize("family", unet_pipelines.FAMILIES)
def test_what_an_encoder_cuts_is_named(family):
    pipe = unet_pipelines.pipeline(family)
    with pytest.warns(Remark) as remarks:
        remark_cuts(pipe, [long("left of a cat"), "short", long("left of a cat")], long("dog"), 5.0)
    encoders = ["text_encoder"] + ["text_encoder_2"] * (family == "XL")
    assert [str(warning.message) for warning in remarks] == [
        f"{encoder} reads 77 tokens and cuts the {kind}'s end: 'red red red red red {end}'"
        for encoder in encoders
        for kind, end in (("prompt", "left of a cat"), ("negative prompt", "dog"))
    ]


@pytest.mark.parametrize(("count", "cut"), [(75, False), (76, True)])
def test_75_tokens_and_the_two_marks_are_read(count, cut):
    pipe = unet_pipelines.pipeline("SD")
    prompt = " ".join(["red"] * count)
    with pytest.warns(Remark, match="cuts the prompt's end: 'red'") if cut else contextlib.nullcontext():
        remark_cuts(pipe, [prompt], None, 5.0)


def test_a_negative_prompt_that_is_not_read_is_not_cut():
    remark_cuts(unet_pipelines.pipeline("SD"), ["short"], long("dog"), 1.0)  # a remark would fail the test


def test_diffusers_does_not_tell_it_again(caplog):
    logger, pipe = logging.getLogger("diffusers"), unet_pipelines.pipeline("SD")
    before = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(caplog.handler)
    try:
        encode(pipe, long("cat"), None, 1.0)
        assert not caplog.records
        pipe.encode_prompt(long("cat"), "cpu", 1, False)
        assert "was truncated" in caplog.text  # it would have
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(before)


def test_pictures_of_a_cut_prompt_are_made_with_a_remark():
    pipe = unet_pipelines.pipeline("SD")
    settings = dict(height=64, width=64, steps=1, guidance=1.0)
    texts = [encode(pipe, long("cat"), None, 1.0)]
    for more in ({}, {"texts": texts}):  # encoded elsewhere, as in batches
        with pytest.warns(Remark, match="text_encoder reads 77 tokens and cuts the prompt's end: .*cat'$"):
            generate(pipe, long("cat"), **settings, **more)
