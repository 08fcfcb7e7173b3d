"""Padding at the left of a causal encoder: what stands there cannot have read the prompt, except by accident."""

import pytest
import torch

import padtone
from tests.tiny import text_pipelines
from tests.tiny.family_calls import OTHER, PROMPT


def padding_of(pipe, name, prompt):
    """The encoder's padding rows, (rows, width)."""
    options = text_pipelines.text_options(name)
    (entry,) = padtone.token_roles(pipe, prompt, **options)
    rows = entry.at("padding")
    assert rows == list(range(len(rows)))
    assert rows
    return padtone.encode(pipe, prompt, **options)["prompt_embeds"][0, rows]


@pytest.fixture
def flux2(request):
    """FLUX.2 with an encoder that attends by one of torch's ways or by transformers' own."""
    pipe = text_pipelines.fresh("flux2")
    pipe.text_encoder.set_attn_implementation(request.param)
    return pipe


@pytest.mark.parametrize("flux2", ["sdpa"], indirect=True)
def test_flux2_under_sdpa_has_one_vector_for_all_padding(flux2):
    """A masked row attends to nothing, and comes out the same at every place and under every prompt."""
    one, other = (padding_of(flux2, "flux2", prompt) for prompt in (PROMPT, OTHER))
    assert len(one) != len(other)
    assert torch.equal(one, one[:1].expand_as(one))
    assert torch.equal(other, one[:1].expand_as(other))


@pytest.mark.parametrize("flux2", ["eager"], indirect=True)
def test_flux2_under_eager_attention_averages_the_prompt_into_its_padding(flux2):
    """A row whose scores are all equally low attends to all tokens alike, the prompt's among them."""
    one, other = (padding_of(flux2, "flux2", prompt) for prompt in (PROMPT, "a green dog"))
    assert one.shape == other.shape
    assert (one - other).abs().max() > 1e-3


def test_cogview4_has_the_same_padding_for_every_prompt_of_a_length(tiny):
    """It is unmasked: each row of padding has read those before it, and they are padding."""
    one, other = (padding_of(tiny("cogview4"), "cogview4", prompt) for prompt in (PROMPT, "a green dog"))
    assert torch.equal(one, other)
    assert not torch.equal(one[0], one[-1])
