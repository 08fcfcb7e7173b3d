"""Texts of transformers: encoded by a call that ends before sampling, and handed over to one without encoders."""

import pytest
import torch
from safetensors.torch import load, save

from picturelab.hooks.recorded_texts import handed_over, recorded
from picturelab.hooks.text_encoders import let_go
from tests.tiny import text_pipelines

PROMPT = "a red cat"


def ran(*_):
    raise AssertionError("the denoiser ran")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen_image", "z_image"])  # the others in tests/each_family
def test_a_picture_from_recorded_texts_is_the_same(name):
    check_same_picture(name)


def check_same_picture(name):
    pipe = text_pipelines.fresh(name)
    guided = {"true_cfg_scale": 3.0} if name == "qwen_image" else {}
    call = text_pipelines.CALL[name] | guided | {"num_inference_steps": 1, "negative_prompt": "a dog"}
    if name in ("flux", "flux2", "krea2"):
        del call["negative_prompt"]
    expected = text_pipelines.run(pipe, name, PROMPT, **call)
    handle = pipe.transformer.register_forward_pre_hook(ran)
    texts = recorded(pipe, pipe.transformer, call | {"prompt": PROMPT})
    handle.remove()
    texts = load(save({key: value.contiguous() for key, value in texts.items()}))  # as the cache keeps them
    let_go(pipe)
    with handed_over(pipe, texts):
        assert torch.equal(text_pipelines.run(pipe, name, PROMPT, **call), expected)
    assert "encode_prompt" not in pipe.__dict__


def test_another_prompt_is_encoded_by_the_pipeline():
    pipe = text_pipelines.pipeline("flux")
    call = text_pipelines.CALL["flux"] | {"num_inference_steps": 1}
    texts = recorded(pipe, pipe.transformer, call | {"prompt": PROMPT})
    other = text_pipelines.run(pipe, "flux", "a blue dog", **call)
    with handed_over(pipe, texts):
        assert torch.equal(text_pipelines.run(pipe, "flux", "a blue dog", **call), other)


def test_a_pipeline_that_samples_is_left_alone():
    pipe = text_pipelines.pipeline("flux")
    pipe.scheduler.set_timesteps(3, mu=1.0)
    before, names = pipe.scheduler.timesteps.clone(), set(pipe.__dict__)
    config = dict(pipe.config)
    recorded(pipe, pipe.transformer, {"prompt": PROMPT, "max_sequence_length": 24, "num_inference_steps": 7})
    assert torch.equal(pipe.scheduler.timesteps, before)
    assert set(pipe.__dict__) == names
    assert dict(pipe.config) == config
