"""Attention in every family: the shares of the groups sum to one, and masked padding has none."""

import pytest
import torch

import padtone
from padtone.families.registry import family_of
from padtone.maths.roles import ROLES
from tests.each_family.refusals import refused
from tests.tiny import text_pipelines
from tests.tiny.family_calls import PROMPT, UNPADDED, call, can


@pytest.mark.parametrize("name", text_pipelines.ALL)
def test_shares_sum_to_one(tiny, name):
    pipe = tiny(name)
    if not can(pipe, "attention"):
        refused(pipe, "attention", lambda: padtone.attention_to_padding(pipe, PROMPT, **call(name)))
        return
    shares = padtone.attention_to_padding(pipe, PROMPT, queries=5, **call(name, output_type="latent"))
    assert shares.groups == (*ROLES, "image")
    for layer, queries in zip(shares.layers, shares.queries, strict=True):
        assert layer.shape[0] == 2  # steps
        assert torch.allclose(layer.sum(-1), torch.ones(layer.shape[:2]), atol=1e-5)
        assert (layer >= 0).all()
        assert 1 <= queries <= 5
    assert shares.share("prompt") > 0
    own_padding = name == "z_image"  # it rounds the text up with a learned token
    hidden = (family_of(pipe).denoiser_masks or name in UNPADDED) and not own_padding
    assert (shares.share("padding") == 0) == hidden
