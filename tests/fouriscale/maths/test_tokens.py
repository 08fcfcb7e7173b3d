import dataclasses
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

from fouriscale.hooks.attention import attach_downsampled_keys, attach_polyphase, lend_query_and_key
from fouriscale.hooks.call import Call, Running, values_of
from fouriscale.maths.filters import build_keys, build_lent
from fouriscale.maths.plan import Plan, Sparsity
from fouriscale.maths.sizes import size_at
from fouriscale.maths.tokens import Grids, SampledTokens, places

NUMBERS = torch.arange(16.0).reshape(1, 16, 1)


def test_grids_of_a_4_x_4_map_by_hand():
    assert Grids((4, 4), 2).split(NUMBERS)[..., 0].tolist() == [
        [0, 2, 8, 10],
        [1, 3, 9, 11],
        [4, 6, 12, 14],
        [5, 7, 13, 15],
    ]


@pytest.mark.parametrize(
    ("side", "count", "picked"),
    [
        (4, 2, [0, 2]),
        (6, 2, [1, 4]),
        (8, 2, [1, 5]),
        (6, 4, [0, 1, 3, 4]),
        (5, 2, [0, 3]),
        (5, 5, [0, 1, 2, 3, 4]),
        (7, 1, [3]),
    ],
)
def test_evenly_spaced_places_by_hand(side, count, picked):
    assert torch.arange(side)[places(side, count)].tolist() == picked


def test_sampled_tokens_by_hand():
    assert SampledTokens((4, 4), (2, 2)).index().tolist() == [0, 2, 8, 10]
    assert SampledTokens((2, 8), (2, 2)).index().tolist() == [1, 5, 9, 13]
    assert SampledTokens((4, 4), (9, 4)).index() is None  # no more than there are


@given(st.integers(1, 40), st.integers(1, 40))
def test_places_lie_in_the_middle(side, count):
    count = min(side, count)
    found = torch.arange(side)[places(side, count)]
    assert len(found.unique()) == count
    before, after = int(found[0]), side - 1 - int(found[-1])
    assert after - before in (0, 1)


def test_grids_of_a_row_follow_one_another():
    both = torch.cat([NUMBERS, NUMBERS + 100])
    grids = Grids((4, 4), 2).split(both)
    assert grids.shape == (8, 4, 1)
    assert (grids[:4] < 100).all()
    assert torch.equal(grids[4:], grids[:4] + 100)


def test_one_grid_is_the_map_itself():
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
    st.integers(1, 3),
)
def test_join_undoes_split(size, factor, rows):
    grids = Grids(size, factor)
    tokens = torch.randn(rows, math.prod(size), 2)
    split = grids.split(tokens)
    assert split.shape == (rows * factor**2, math.prod(grids.each), 2)
    assert torch.equal(grids.join(split), tokens)
    if (bias := grids.bias(rows, tokens.device, tokens.dtype)) is not None:
        assert int((bias == 0).sum()) == rows * math.prod(size)


def within(sparsity=None, plan=None):
    """A thread that is in a call of this kind."""
    running = Running()
    keys = build_keys(sparsity, range(3), torch.device("cpu")) if sparsity and not sparsity.factor else {}
    lent = {plan.rows: build_lent(plan.rows, plan.guidance_rows, torch.device("cpu"))} if plan else {}
    values = values_of(plan, sparsity, {}, {}, range(3), None, keys, lent)
    running.begin(Call(plan=plan, sparsity=sparsity, values=values))
    return running


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return Attention(8, heads=2, dim_head=4).eval()


def attended(attention, tokens, sparsity, *args, **settings):
    if not args:
        settings = {"encoder_hidden_states": None, "attention_mask": None} | settings
    before = hooks(attention)
    with ExitStack() as undo, torch.no_grad():
        for attach in (attach_polyphase, attach_downsampled_keys):
            attach(within(sparsity), attention, 0, undo)
        out = attention(tokens, *args, **settings)
    assert hooks(attention) == before
    return out


def hooks(attention):
    modules = (attention, attention.to_k, attention.to_v)
    return [[*module._forward_hooks, *module._forward_pre_hooks] for module in modules]


def sparse(latent_size, training_size, factor=None):
    return Sparsity(latent_size=latent_size, training_size=training_size, factor=factor)


def polyphase(size, factor=2):
    return sparse(size, (1, 1), factor)


PROCESSORS = [AttnProcessor, AttnProcessor2_0, lambda: SlicedAttnProcessor(1)]


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("size", [(6, 4), (5, 7)])
@torch.no_grad()
def test_each_grid_attends_within_itself(attention, processor, size):
    attention.set_processor(processor())
    tokens = torch.randn(2, math.prod(size), 8)
    out = attended(attention, tokens, polyphase(size)).unflatten(1, size)
    grid = tokens.unflatten(1, size)
    for y in range(2):
        for x in range(2):
            part = grid[:, y::2, x::2]
            alone = attention(part.flatten(1, 2)).reshape(part.shape)
            torch.testing.assert_close(out[:, y::2, x::2], alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(("size", "training_size"), [((6, 4), (3, 2)), ((5, 7), (4, 3)), ((8, 3), (4, 4))])
@torch.no_grad()
def test_downsampled_keys_and_values_are_as_many_as_in_training(attention, processor, size, training_size):
    attention.set_processor(processor())
    tokens = torch.randn(2, math.prod(size), 8)
    out = attended(attention, tokens, sparse(size, training_size))
    seen = tokens[:, SampledTokens(size, training_size).index()]
    assert seen.shape[1] == math.prod(min(sides) for sides in zip(size, training_size, strict=True))
    torch.testing.assert_close(out, attention(tokens, encoder_hidden_states=seen), atol=1e-6, rtol=1e-5)
    assert not torch.allclose(out, attention(tokens), atol=1e-3)


@pytest.mark.parametrize("sparsity", [polyphase((8, 12)), sparse((8, 12), (4, 6))])
@torch.no_grad()
def test_equals_full_attention_where_all_grids_are_alike(attention, sparsity):
    coarse = torch.randn(2, 4, 6, 8)
    alike = coarse.repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1, 2)
    tiled = coarse.repeat(1, 2, 2, 1).flatten(1, 2)  # neighbours are not alike
    torch.testing.assert_close(attended(attention, alike, sparsity), attention(alike), atol=1e-6, rtol=1e-5)
    assert not torch.allclose(attended(attention, tiled, sparsity), attention(tiled), atol=1e-3)


@pytest.mark.parametrize("sparsity", [polyphase((6, 4)), sparse((6, 4), (3, 2))])
@torch.no_grad()
def test_leaves_alone_what_it_is_not_for(attention, sparsity):
    tokens, prompt = torch.randn(2, 24, 8), torch.randn(2, 7, 8)
    full = attention(tokens)
    assert not torch.equal(attended(attention, tokens, sparsity), full)
    assert torch.equal(attended(attention, tokens, None), full)
    other = dataclasses.replace(sparsity, latent_size=(8, 8))  # not this map's tokens
    assert torch.equal(attended(attention, tokens, other), full)
    crossed = attention(tokens, encoder_hidden_states=prompt)
    assert torch.equal(attended(attention, tokens, sparsity, encoder_hidden_states=prompt), crossed)
    assert torch.equal(attended(attention, tokens, sparsity, prompt), crossed)


@torch.no_grad()
def test_one_token_is_left_alone(attention):
    token = torch.randn(4, 1, 8)
    for sparsity in (polyphase((1, 1)), sparse((1, 1), (1, 1))):
        assert torch.equal(attended(attention, token, sparsity), attention(token))


@torch.no_grad()
def test_a_mask_of_ones_own(attention):
    tokens, bias = torch.randn(2, 24, 8), torch.randn(2, 1, 24)
    masked = attention(tokens, attention_mask=bias)
    assert torch.equal(attended(attention, tokens, polyphase((6, 4)), attention_mask=bias), masked)
    keys = sparse((6, 4), (3, 2))
    for arguments in (((), {"attention_mask": bias}), ((None, bias), {})):
        with pytest.raises(
            ValueError, match=r'attention_mask of shape \(2, 1, 24\) .* set attention="full" and'
        ):
            attended(attention, tokens, keys, *arguments[0], **arguments[1])


@torch.no_grad()
def test_what_tells_self_attention_from_cross_attention_is_left_as_it_is(attention):
    """Processors such as those of cross-frame attention tell by whether there are `encoder_hidden_states`."""
    given = []

    class Own(AttnProcessor2_0):
        def __call__(self, attn, hidden_states, encoder_hidden_states=None, **settings):
            given.append(encoder_hidden_states)
            return super().__call__(attn, hidden_states, encoder_hidden_states, **settings)

    attention.set_processor(Own())
    attended(attention, torch.randn(2, 24, 8), sparse((6, 4), (3, 2)))
    assert given == [None]


def test_levels_and_their_sizes():
    assert [size_at((33, 20), level) for level in range(4)] == [(33, 20), (17, 10), (9, 5), (5, 3)]
    grids = sparse((33, 20), (16, 12), 2)
    assert grids.grids(1) == Grids((17, 10), 2)
    keys = sparse((33, 20), (16, 12))
    assert (keys.grids(1), keys.keys(1)) == (None, SampledTokens((17, 10), (8, 6)))


@torch.no_grad()
def test_the_guidance_branchs_queries_and_keys_with_downsampled_keys(attention):
    """The guidance branch's row has its own values and the conditional row's attention, here written out."""
    plan, keys = plan_with(rows=2, guidance_rows=1), sparse((6, 4), (3, 2))
    tokens = torch.randn(3, 24, 8)
    with ExitStack() as undo:
        for projection in (attention.to_q, attention.to_k):
            lend_query_and_key(within(plan=plan), projection, undo)
        out = attended(attention, tokens, keys)
    seen = tokens[:, SampledTokens((6, 4), (3, 2)).index()]
    query, key, value = attention.to_q(tokens[1]), attention.to_k(seen[1]), attention.to_v(seen[2])
    heads = [
        ((q @ k.T) / 2).softmax(-1) @ v  # 2 is the root of 4 channels a head
        for q, k, v in zip(query.split(4, -1), key.split(4, -1), value.split(4, -1), strict=True)
    ]
    torch.testing.assert_close(out[2], attention.to_out[0](torch.cat(heads, -1)), atol=1e-5, rtol=1e-4)


def plan_with(rows, guidance_rows):
    return Plan(
        dilation=2.0, strong_dilation=2, weak_dilation=2, latent_size=(4, 4), training_size=(2, 2), factor=2,
        floor=0.0, rows=rows, guided=True, guidance_rows=guidance_rows,
        guidance_factor=1.0,
    )  # fmt: skip


def test_the_guidance_branchs_queries_stay_with_their_row_and_grid():
    plan = plan_with(rows=4, guidance_rows=2)
    rows = torch.arange(6.0).reshape(6, 1, 1).expand(6, 16, 1) * 100 + NUMBERS
    grids = Grids((4, 4), 2)
    projection = torch.nn.Identity()
    with ExitStack() as undo:
        lend_query_and_key(within(plan=plan), projection, undo)
        projected = grids.join(projection(grids.split(rows)))
    assert torch.equal(projected, rows[[0, 1, 2, 3, 2, 3]])
