import math
from contextlib import ExitStack

import pytest
import torch
from diffusers.models.attention_processor import (
    Attention,
    AttnProcessor,
    AttnProcessor2_0,
    SlicedAttnProcessor,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fouriscale.attend import LentProjection, SparseAttention
from fouriscale.grids import Grids
from fouriscale.plan import Plan, Sparsity, size_at

NUMBERS = torch.arange(16.0).reshape(1, 16, 1)


def test_grids_of_a_4_x_4_map_by_hand():
    grids = Grids((4, 4), 2)
    assert grids.split(NUMBERS)[..., 0].tolist() == [
        [0, 2, 8, 10],
        [1, 3, 9, 11],
        [4, 6, 12, 14],
        [5, 7, 13, 15],
    ]
    assert grids.middle(NUMBERS)[..., 0].tolist() == [[0, 2, 8, 10]]


@pytest.mark.parametrize(
    ("size", "factor", "middle"),
    [((3, 5), 3, [6, 9]), ((4, 4), 4, [5]), ((5, 5), 2, [0, 2, 4, 10, 12, 14, 20, 22, 24]), ((1, 3), 4, [0])],
)
def test_the_middle_grid_by_hand(size, factor, middle):
    tokens = torch.arange(float(math.prod(size))).reshape(1, -1, 1)
    assert Grids(size, factor).middle(tokens)[..., 0].tolist() == [middle]


def test_grids_of_a_row_follow_one_another():
    both = torch.cat([NUMBERS, NUMBERS + 100])
    grids = Grids((4, 4), 2).split(both)
    assert grids.shape == (8, 4, 1)
    assert (grids[:4] < 100).all()
    assert torch.equal(grids[4:], grids[:4] + 100)


def test_one_grid_is_the_map_itself():
    assert torch.equal(Grids((4, 4), 1).split(NUMBERS), NUMBERS)
    assert torch.equal(Grids((4, 4), 1).middle(NUMBERS), NUMBERS)


def test_empty_tokens_are_barred():
    assert Grids((4, 6), 2).bias(3, NUMBERS.device, torch.float32) is None
    grids = Grids((3, 4), 2)
    bias = grids.bias(2, NUMBERS.device, torch.float32)
    assert bias.shape == (8, 1, 4)
    # The map's rows are 0, 1, 2 and an empty one, which the two grids of odd rows hold.
    assert (bias[:4, 0] < 0).tolist() == [[False] * 4] * 2 + [[False, False, True, True]] * 2
    assert torch.equal(bias[4:], bias[:4])


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 13), st.integers(1, 13)),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_join_undoes_split(size, factor, rows):
    grids = Grids(size, factor)
    tokens = torch.randn(rows, math.prod(size), 2)
    split = grids.split(tokens)
    assert split.shape == (rows * factor**2, math.prod(grids.each), 2)
    assert torch.equal(grids.join(split), tokens)
    assert grids.middle(tokens).shape[1] <= math.prod(grids.each)
    if (bias := grids.bias(rows, tokens.device, tokens.dtype)) is not None:
        assert int((bias == 0).sum()) == rows * math.prod(size)


class Holder:
    """Stands in for an attachment."""

    def __init__(self, sparsity=None, plan=None):
        self.sparsity, self.plan = sparsity, plan


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return Attention(8, heads=2, dim_head=4).eval()


def attended(attention, tokens, sparsity, **settings):
    with ExitStack() as undo, torch.no_grad():
        SparseAttention(Holder(sparsity), 0).attach(attention, undo)
        out = attention(tokens, **{"encoder_hidden_states": None, "attention_mask": None} | settings)
    assert not attention._forward_hooks
    assert not attention._forward_pre_hooks
    return out


PROCESSORS = [AttnProcessor, AttnProcessor2_0, lambda: SlicedAttnProcessor(1)]


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("size", [(6, 4), (5, 7)])
@torch.no_grad()
def test_each_grid_attends_within_itself(attention, processor, size):
    attention.set_processor(processor())
    tokens = torch.randn(2, math.prod(size), 8)
    out = attended(attention, tokens, Sparsity(size, 2, polyphase=True)).unflatten(1, size)
    grid = tokens.unflatten(1, size)
    for y in range(2):
        for x in range(2):
            part = grid[:, y::2, x::2]
            alone = attention(part.flatten(1, 2)).reshape(part.shape)
            torch.testing.assert_close(out[:, y::2, x::2], alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("size", [(6, 4), (5, 7)])
@torch.no_grad()
def test_downsampled_keys_and_values_are_those_of_one_grid(attention, processor, size):
    attention.set_processor(processor())
    tokens = torch.randn(2, math.prod(size), 8)
    out = attended(attention, tokens, Sparsity(size, 2, polyphase=False))
    seen = tokens.unflatten(1, size)[:, ::2, ::2].flatten(1, 2)
    torch.testing.assert_close(out, attention(tokens, encoder_hidden_states=seen), atol=1e-6, rtol=1e-5)
    assert not torch.allclose(out, attention(tokens), atol=1e-3)


@pytest.mark.parametrize("polyphase", [True, False])
@torch.no_grad()
def test_equals_full_attention_where_all_grids_are_alike(attention, polyphase):
    coarse = torch.randn(2, 4, 6, 8)
    alike = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1, 2)
    windows = coarse.repeat(1, 2, 2, 1).flatten(1, 2)  # neighbours are not alike
    sparsity = Sparsity((8, 12), 2, polyphase)
    torch.testing.assert_close(attended(attention, alike, sparsity), attention(alike), atol=1e-6, rtol=1e-5)
    assert not torch.allclose(attended(attention, windows, sparsity), attention(windows), atol=1e-3)


@pytest.mark.parametrize("polyphase", [True, False])
@torch.no_grad()
def test_leaves_alone_what_it_is_not_for(attention, polyphase):
    tokens, prompt, bias = torch.randn(2, 24, 8), torch.randn(2, 7, 8), torch.randn(2, 1, 24)
    full, sparsity = attention(tokens), Sparsity((6, 4), 2, polyphase)
    assert not torch.equal(attended(attention, tokens, sparsity), full)
    assert torch.equal(attended(attention, tokens, None), full)
    assert torch.equal(attended(attention, tokens, Sparsity((6, 4), 1, polyphase)), full)
    other = Sparsity((8, 8), 2, polyphase)  # not this map's tokens
    assert torch.equal(attended(attention, tokens, other), full)
    masked = attended(attention, tokens, sparsity, attention_mask=bias)
    assert torch.equal(masked, attention(tokens, attention_mask=bias))
    crossed = attended(attention, tokens, sparsity, encoder_hidden_states=prompt)
    assert torch.equal(crossed, attention(tokens, encoder_hidden_states=prompt))


def test_levels_and_their_sizes():
    assert [size_at((33, 20), level) for level in range(4)] == [(33, 20), (17, 10), (9, 5), (5, 3)]
    assert Sparsity((33, 20), 2, polyphase=True).at(1) == Grids((17, 10), 2)


def test_lent_queries_stay_with_their_row_and_grid():
    plan = Plan(
        dilation=2.0, strong_dilation=2, weak_dilation=2, latent_size=(4, 4), training_size=(2, 2), factor=2,
        floor=0.0, rows=4, guided=True, lent=2, guidance_factor=1.0,
    )  # fmt: skip
    rows = torch.arange(6.0).reshape(6, 1, 1).expand(6, 16, 1) * 100 + NUMBERS
    grids = Grids((4, 4), 2)
    lent = grids.join(LentProjection(Holder(plan=plan))(None, (), grids.split(rows)))
    assert torch.equal(lent, rows[[0, 1, 2, 3, 2, 3]])
