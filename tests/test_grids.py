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

from fouriscale.attend import GroupedAttention, LentProjection
from fouriscale.grids import Grids
from fouriscale.plan import Grouping, Plan, size_at

KINDS = {"polyphase": {}, "windows": {"windows": True}, "shifted": {"windows": True, "shifted": True}}
NUMBERS = torch.arange(16.0).reshape(1, 16, 1)


@pytest.mark.parametrize(
    ("kind", "groups"),
    [
        ("polyphase", [[0, 2, 8, 10], [1, 3, 9, 11], [4, 6, 12, 14], [5, 7, 13, 15]]),
        ("windows", [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]),
        ("shifted", [[5, 6, 9, 10], [7, 4, 11, 8], [13, 14, 1, 2], [15, 12, 3, 0]]),
    ],
)
def test_groups_of_a_4_x_4_map_by_hand(kind, groups):
    assert Grids((4, 4), 2, **KINDS[kind]).split(NUMBERS)[..., 0].tolist() == groups


def test_groups_of_a_row_follow_one_another():
    both = torch.cat([NUMBERS, NUMBERS + 100])
    groups = Grids((4, 4), 2).split(both)
    assert groups.shape == (8, 4, 1)
    assert (groups[:4] < 100).all()
    assert torch.equal(groups[4:], groups[:4] + 100)


def test_one_group_is_the_map_itself():
    assert torch.equal(Grids((4, 4), 1).split(NUMBERS), NUMBERS)


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
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 3),
)
def test_join_undoes_split(size, factor, kind, rows):
    grids = Grids(size, factor, **KINDS[kind])
    tokens = torch.randn(rows, math.prod(size), 2)
    groups = grids.split(tokens)
    assert groups.shape == (rows * factor**2, math.prod(grids.group), 2)
    assert torch.equal(grids.join(groups), tokens)
    if (bias := grids.bias(rows, tokens.device, tokens.dtype)) is not None:
        assert int((bias == 0).sum()) == rows * math.prod(size)


class Holder:
    """Stands in for an attachment."""

    def __init__(self, grouping=None, plan=None):
        self.grouping, self.plan = grouping, plan


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return Attention(8, heads=2, dim_head=4).eval()


def grouped(attention, tokens, grouping):
    with ExitStack() as undo, torch.no_grad():
        GroupedAttention(Holder(grouping), 0).attach(attention, undo)
        out = attention(tokens, encoder_hidden_states=None, attention_mask=None)
    assert not attention._forward_hooks
    assert not attention._forward_pre_hooks
    return out


@pytest.mark.parametrize("processor", [AttnProcessor, AttnProcessor2_0, lambda: SlicedAttnProcessor(1)])
@pytest.mark.parametrize("size", [(6, 4), (5, 7)])
@torch.no_grad()
def test_each_grid_attends_within_itself(attention, processor, size):
    attention.set_processor(processor())
    tokens = torch.randn(2, math.prod(size), 8)
    out = grouped(attention, tokens, Grouping(size, 2)).unflatten(1, size)
    grid = tokens.unflatten(1, size)
    for y in range(2):
        for x in range(2):
            part = grid[:, y::2, x::2]
            alone = attention(part.flatten(1, 2)).reshape(part.shape)
            torch.testing.assert_close(out[:, y::2, x::2], alone, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_equals_full_attention_where_all_grids_are_alike(attention):
    tokens = torch.randn(2, 4, 6, 8).repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1, 2)
    assert not torch.allclose(tokens[:, 0], tokens[:, 2])
    full = attention(tokens)
    torch.testing.assert_close(grouped(attention, tokens, Grouping((8, 12), 2)), full, atol=1e-6, rtol=1e-5)
    windows = grouped(attention, tokens, Grouping((8, 12), 2, windows=True))
    assert not torch.allclose(windows, full, atol=1e-3)  # neighbours are not alike


@torch.no_grad()
def test_leaves_alone_what_it_is_not_for(attention):
    tokens = torch.randn(2, 24, 8)
    full = attention(tokens)
    assert torch.equal(grouped(attention, tokens, None), full)
    assert torch.equal(grouped(attention, tokens, Grouping((6, 4), 1)), full)
    assert torch.equal(grouped(attention, tokens, Grouping((6, 4), 2, levels=0)), full)
    assert torch.equal(grouped(attention, tokens, Grouping((8, 8), 2)), full)  # other tokens than a map's


def test_levels_and_their_sizes():
    grouping = Grouping((33, 20), 2, levels=2, windows=True)
    assert [size_at((33, 20), level) for level in range(4)] == [(33, 20), (17, 10), (9, 5), (5, 3)]
    assert grouping.at(1) == Grids((17, 10), 2, windows=True)
    assert grouping.at(2) is None


def test_lent_queries_stay_with_their_row_and_group():
    plan = Plan(
        dilation=2.0, strong_dilation=2, weak_dilation=2, latent_size=(4, 4), training_size=(2, 2), factor=2,
        floor=0.0, rows=4, guided=True, lent=2, guidance_factor=1.0,
    )  # fmt: skip
    rows = torch.arange(6.0).reshape(6, 1, 1).expand(6, 16, 1) * 100 + NUMBERS
    grids = Grids((4, 4), 2)
    lent = grids.join(LentProjection(Holder(plan=plan))(None, (), grids.split(rows)))
    assert torch.equal(lent, rows[[0, 1, 2, 3, 2, 3]])
