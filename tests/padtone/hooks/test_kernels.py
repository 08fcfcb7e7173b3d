"""Kernels that keep the first keys are refused where they would drop a picture's."""

import pytest
import torch
from diffusers.models.attention_dispatch import (
    AttentionBackendName,
    _AttentionBackendRegistry,
    _prepare_for_flash_attn_or_sage_varlen_with_mask,
)

import padtone
from padtone.families.registry import family_of
from padtone.hooks.kernels import FIRST_KEYS, backends_of, refuse_first_keys
from tests.tiny import text_pipelines

ROWS = torch.tensor([[True, True, False], [True, True, True]])


def choose(pipe, backend):
    """As `set_attention_backend` does where the kernel is installed."""
    for module in pipe.transformer.modules():
        if hasattr(getattr(module, "processor", None), "_attention_backend"):
            module.processor._attention_backend = AttentionBackendName(backend)


def test_diffusers_counts_the_keys_of_a_mask():
    """The reason of it all; where this fails, the refusal can go."""
    (_, kept), _, _ = _prepare_for_flash_attn_or_sage_varlen_with_mask(
        1, 3, torch.tensor([[False, True, True]])
    )
    assert kept.tolist() == [2]
    assert set(FIRST_KEYS) <= {name.value for name in AttentionBackendName}


@pytest.mark.parametrize("backend", FIRST_KEYS)
def test_texts_of_unequal_lengths_are_refused(backend):
    pipe = text_pipelines.fresh("qwen_image")
    refuse_first_keys(family_of(pipe), pipe.transformer, ROWS)  # the usual kernel takes masks
    choose(pipe, backend)
    assert backends_of(pipe.transformer) == {backend}
    refuse_first_keys(family_of(pipe), pipe.transformer, ROWS[1:])  # nothing is hidden
    said = f"the attention backend is '{backend}', .* texts of 2, 3 of 3 rows need one: call set_attention_backend"
    with pytest.raises(ValueError, match=said):
        refuse_first_keys(family_of(pipe), pipe.transformer, ROWS)


def test_behind_the_picture_the_first_keys_are_the_right_ones():
    pipe = text_pipelines.fresh("z_image")
    choose(pipe, "flash_varlen")
    refuse_first_keys(family_of(pipe), pipe.transformer, ROWS)


def test_a_backend_for_all_models_counts_too(monkeypatch):
    pipe = text_pipelines.fresh("qwen_image")
    monkeypatch.setattr(_AttentionBackendRegistry, "_active_backend", AttentionBackendName.SAGE_VARLEN)
    assert "sage_varlen" in backends_of(pipe.transformer)


@pytest.mark.slow
def test_arms_are_refused_before_anything_is_drawn():
    pipe = text_pipelines.fresh("krea2")
    choose(pipe, "flash_varlen")
    with pytest.raises(ValueError, match="the attention backend is 'flash_varlen'"):
        padtone.ite(pipe, "a cat", [0], ["full"], height=32, width=32, **text_pipelines.CALL["krea2"])
    assert backends_of(text_pipelines.fresh("lumina2").transformer) == set()  # which knows of no choice
