"""Deep blocks on a smaller grid: sizes of maps, phases, branches, batches."""

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fouriscale.hooks.patch import current_state
from tests.fouriscale.hooks.test_patch import relative, traces
from tests.matrix.plain_deep import DeepStep
from tests.matrix.plain_reference import plain_reference
from tests.tiny.bare_unets import (
    CONFIG,
    FIRST,
    LAST_DEEP,
    LATE,
    SCHEDULER,
    UNETS,
    applied,
    call,
    map_sizes,
    small_unet,
)


def test_deep_blocks_have_the_grids_size_and_the_others_the_pictures():
    unet = small_unet()
    with applied(unet):
        seen, out = map_sizes(unet, (32, 48))  # 2.45 times the training size on each axis
        late, _ = map_sizes(unet, (32, 48), timestep=LATE)
    levels = [(32, 48), (6, 10), (3, 5)]  # 6.5 x 9.8 at level 1, in multiples of 2
    assert out == (32, 48)
    assert seen == {
        *((f"down_blocks.{i}", size) for i, size in enumerate(levels)),
        ("mid_block", levels[2]),
        *((f"up_blocks.{2 - i}", size) for i, size in enumerate(levels)),
    }
    assert ("mid_block", (8, 12)) in late
    assert late == map_sizes(unet, (32, 48))[0]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.integers(3, 50), st.integers(3, 50), st.integers(2, 4), st.sampled_from([(8, 8), (9, 17)]))
@example(3, 50, 4, (8, 8))  # too narrow for a multiple
@example(50, 5, 4, (8, 8))
def test_any_size_and_any_aspect_ratio(height, width, levels, training):
    config, unet = CONFIG.replace(training_sizes=training), UNETS[levels]
    before = call(unet, (height, width))
    with applied(unet, config):
        seen, out = map_sizes(unet, (height, width))
        plan = current_state(unet).plan
    assert out == (height, width)
    assert (plan is not None) == (height * width > 1.21 * math.prod(training) * (1 + 1e-9))
    if plan is not None:
        plain = DeepStep(unet, config, (height, width), 1, 0, 10)
        sizes = [plain.full[0], *plain.small.values()]
        assert {size for block, size in seen if block.startswith("down")} == set(sizes)
        assert sum(map(math.prod, sizes[1:])) <= sum(map(math.prod, plain.full[1:]))
    assert torch.equal(call(unet, (height, width)), before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(24, 24), (23, 37), (7, 70)])
@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize("changes", [{}, {"third_branch": True, "grid_phases": [[0.8, 1.2]]}])
def test_equals_the_method_computed_plainly(size, levels, changes):
    unet, config = UNETS[levels], CONFIG.replace(**changes)
    plain = call(unet, size, rows=2, guided=True)
    for timestep in (LAST_DEEP, LATE):
        with applied(unet, config, guided=True):
            ours = call(unet, size, timestep, rows=2, guided=True)
        stand_in = SimpleNamespace(unet=unet, scheduler=SCHEDULER, vae_scale_factor=1)
        with plain_reference(stand_in, config) as reference, torch.no_grad():
            sample, text = noise_and_text(size)
            expected = unet(sample, timestep, encoder_hidden_states=text)[0]
        assert reference.active == [timestep != LATE]
        assert relative(ours, expected) < 1e-5
    assert relative(ours, plain) > 1e-4


def noise_and_text(size):
    """Those of `call` with two guided rows."""
    generators = [torch.Generator().manual_seed(i) for i in range(2)]
    sample = torch.randn(1, 4, *size, generator=generators[0])
    return torch.cat([sample] * 2), torch.cat([torch.randn(1, 5, 8, generator=g) for g in generators])


@pytest.mark.parametrize(("side", "active"), [(16, False), (17, False), (18, True)])
def test_up_to_a_tenth_beyond_the_training_size_nothing_is_done(side, active):
    unet = small_unet()
    plain = [call(unet, (side, side), timestep) for timestep in (FIRST, LATE)]
    with applied(unet):
        ours = [call(unet, (side, side), timestep) for timestep in (FIRST, LATE)]
        assert [torch.equal(*pair) for pair in zip(ours, plain, strict=True)] == [not active] * 2


def test_grids_grow_from_phase_to_phase():
    unet = small_unet(2)
    with applied(unet, CONFIG.replace(grid_phases=[[0.3, 0.5], [0.5, 1], [0.8, 1.5], [0.9, 2]])):
        grids = []
        for timestep in range(9, -1, -1):
            call(unet, (32, 32), timestep)
            plan = current_state(unet).plan
            grids.append(plan.grid.size[0] if plan and plan.grid else None)
    assert grids == [4] * 3 + [8] * 2 + [12] * 3 + [None] * 2  # of 16; the last phase is the whole size


def test_after_the_grid_only_keys_are_fewer():
    unet = small_unet()
    plain = call(unet, (32, 32), LATE)
    with applied(unet, CONFIG.replace(late_attention="full")):
        assert torch.equal(call(unet, (32, 32), LATE), plain)
    with applied(unet):
        assert 1e-6 < relative(call(unet, (32, 32), LATE), plain) < 0.1


def test_without_the_guidance_branch_rows_stay_the_callers():
    unet, rows = small_unet(), []
    unet.conv_in.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    with applied(unet, guided=True):
        call(unet, (32, 32), rows=2, guided=True)
    with applied(unet, CONFIG.replace(third_branch=True), guided=True):
        call(unet, (32, 32), rows=2, guided=True)
        call(unet, (32, 32), LATE, rows=2, guided=True)
    assert rows == [2, 3, 2]


@pytest.mark.parametrize("third_branch", [False, True])
def test_batches_equal_singles(third_branch):
    unet = small_unet()
    with applied(unet, CONFIG.replace(third_branch=third_branch)):
        both = call(unet, (33, 47), rows=2)
        assert relative(both[:1], call(unet, (33, 47))) < 1e-5
    assert relative(both[1:], both[:1]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 8])
def test_polyphase_attention_is_outside_of_the_grid(rows):
    """A deep map has as many tokens as a grid of the full one, and is none."""
    unet = small_unet()
    config = CONFIG.replace(attention="polyphase")
    with applied(unet, config):
        together = call(unet, (32, 32), rows=rows)
        assert relative(together[:1], call(unet, (32, 32))) < 1e-5
    with applied(unet, config.replace(attention="full")):
        assert 1e-6 < relative(call(unet, (32, 32), rows=rows), together) < 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    unet = small_unet()
    with applied(unet):
        exact = call(unet, (33, 47))
        half = call(unet.to(dtype), (33, 47))
    assert half.dtype == dtype
    assert relative(half.float(), exact) < 0.05


def test_an_exception_in_a_deep_block_leaves_nothing():
    unet = small_unet()
    plain = call(unet, (16, 16))
    with applied(unet):
        whole = call(unet, (32, 32))

        def fail(*_):
            raise RuntimeError("stopped")

        hook = unet.mid_block.register_forward_hook(fail)
        with pytest.raises(RuntimeError, match="stopped"):
            call(unet, (32, 32))
        hook.remove()
        assert torch.equal(call(unet, (16, 16)), plain)
        assert torch.equal(call(unet, (32, 32)), whole)


@pytest.mark.parametrize(
    "changes",
    [
        *({"grid_resampling": kind} for kind in ("area", "nearest", "bicubic")),
        {"third_branch": True},
        {"grid_level": 2},
        {"mode": "paper", "grid": "deep"},
        {"mode": "paper"},
    ],
)
def test_other_settings_change_the_picture_and_are_taken_off(changes):
    unet, size = UNETS[3], (23, 37)
    before, found = call(unet, size), traces(unet)
    with applied(unet):
        fast = call(unet, size)
    with applied(unet, CONFIG.replace(**changes)):
        assert relative(call(unet, size), fast) > 1e-3
    assert traces(unet) == found
    assert torch.equal(call(unet, size), before)
