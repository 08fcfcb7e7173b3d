"""Equal texts are read once, and what they gave is the same, bit for bit."""

import pytest
import torch

from picturelab.hooks.text_encoders import TextsRead, let_go, text_encoders
from tests.tiny import text_pipelines


def embeddings(pipe, prompt, negative="a dog"):
    with torch.no_grad():
        return pipe.encode_prompt(prompt, "cpu", 1, True, negative)


def test_a_negative_prompt_is_read_once():
    pipe, read = text_pipelines.fresh("sd1"), TextsRead()
    plain = [embeddings(pipe, prompt) for prompt in ("a cat", "a red cat", "a blue cat")]
    with read.remembered(pipe):
        heard = [embeddings(pipe, prompt) for prompt in ("a cat", "a red cat", "a blue cat")]
    assert read.calls == 4
    for ours, theirs in zip(heard, plain, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert "forward" not in pipe.text_encoder.__dict__
    embeddings(pipe, "a cat")
    assert read.calls == 4, "outside the block nothing is remembered"


def test_who_writes_into_an_output_changes_no_other():
    pipe, read = text_pipelines.fresh("sd1"), TextsRead()
    with read.remembered(pipe):
        for _ in range(3):
            prompt, negative = embeddings(pipe, "a cat")
            assert float(negative.abs().max()) > 0
            negative.zero_()
            prompt.zero_()
    assert read.calls == 2


def test_what_is_forgotten_is_read_again():
    pipe, read = text_pipelines.fresh("sd1"), TextsRead()
    for _ in range(2):
        with read.remembered(pipe):
            embeddings(pipe, "a cat")
        read.forget()
    assert read.calls == 4


def test_a_forward_of_somebody_else_stays():
    pipe, read = text_pipelines.fresh("sd1"), TextsRead()
    forward = pipe.text_encoder.forward
    pipe.text_encoder.forward = other = lambda *args, **kwargs: forward(*args, **kwargs)
    with read.remembered(pipe):
        embeddings(pipe, "a cat")
    assert pipe.text_encoder.forward is other


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_pipeline_without_text_encoders_goes_on_with_encodings(name):
    pipe = text_pipelines.fresh(name)
    texts = (
        embeddings(pipe, "a cat") if name == "sd1" else pipe.encode_prompt("a cat", negative_prompt="a dog")
    )
    names = (
        "prompt_embeds",
        "negative_prompt_embeds",
        "pooled_prompt_embeds",
        "negative_pooled_prompt_embeds",
    )
    texts = dict(zip(names, texts, strict=False))
    before = text_pipelines.run(pipe, name, None, **texts)
    let_go(pipe)
    assert text_encoders(pipe) == {}
    assert pipe.device.type == "cpu"
    assert torch.equal(text_pipelines.run(pipe, name, None, **texts), before)
