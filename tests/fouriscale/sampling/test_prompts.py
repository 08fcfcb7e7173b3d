"""Prompts encoded alone, and put together to batches."""

from types import SimpleNamespace

import pytest
import torch

from fouriscale.sampling.prompts import encode, encode_all, stacked


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
