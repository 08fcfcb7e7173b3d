"""What the modes change: sparse attention, decimated convolutions, rows one after the other."""

import pytest
import torch

from fouriscale import FouriScaleConfig, fouriscale
from fouriscale.config import MODES
from fouriscale.hooks.modules import self_attentions
from fouriscale.hooks.patch import current_state
from tests.fouriscale.hooks.test_patch import CONFIG, relative, run, traces
from tests.tiny.golden import build_pipe, load_case

LAYERWISE = CONFIG.replace(mode="layerwise")  # test_deep.py has fast mode


@pytest.fixture
def pipe():
    case, _, unet = load_case("sd_square_2x")
    return build_pipe(case, unet)


def scaled(pipe, config, **settings):
    with fouriscale(pipe, config):
        return run(pipe, **settings)


def test_a_mode_decides_what_is_left_open_and_nothing_else():
    assert FouriScaleConfig.preset("sd15") == FouriScaleConfig.preset("sd15", mode="paper")
    fast = FouriScaleConfig.preset("sd15", mode="fast", convolution="dilated")
    assert fast.chosen("convolution") == "dilated"
    assert fast.chosen("attention") == MODES["fast"]["attention"] == "downsampled keys"
    assert [mode for mode in MODES if FouriScaleConfig.preset("sd15", mode=mode).deep] == ["fast"]
    assert FouriScaleConfig.from_dict(fast.to_dict()) == fast
    assert fast.replace(mode="paper").chosen("attention") == "full"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": "quick"}, "mode='quick': must be one of paper, fast"),
        ({"mode": None}, "mode=None: must be one of paper, fast"),
        ({"attention": "sparse"}, "attention='sparse': must be one of full, polyphase, downsampled keys"),
        ({"late_attention": "windows"}, "late_attention='windows': must be one of full, polyphase, downsampled keys"),
        ({"convolution": "fft"}, "convolution='fft': must be one of dilated, decimated"),
    ],
)  # fmt: skip
def test_unknown_choices_are_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        CONFIG.replace(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"third_branch": "no"}, "third_branch='no': must be true or false"),
        ({"split_rows": None}, "split_rows=None: must be true or false"),
    ],
)
def test_wrong_types_are_refused(changes, said):
    with pytest.raises(TypeError, match=said):
        CONFIG.replace(**changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "polyphase"},
        {"attention": "downsampled keys"},
        {"late_attention": "polyphase"},
        {"late_attention": "downsampled keys"},
        {"convolution": "decimated"},
        {"mode": "layerwise"},
        {"mode": "layerwise", "third_branch": True},
        {"mode": "fast"},
    ],
)
@pytest.mark.parametrize("size", [(256, 256), (216, 264)])
def test_every_choice_changes_the_picture_and_restores_bit_for_bit(pipe, changes, size):
    before, found = run(pipe, size=size), traces(pipe.unet)
    paper = scaled(pipe, CONFIG, size=size)
    changed = scaled(pipe, CONFIG.replace(**changes), size=size)
    assert torch.isfinite(changed).all()
    # So little for late attention: in a random UNet attention is nearly uniform.
    assert 3e-6 < relative(changed, paper) < 1
    assert traces(pipe.unet) == found
    assert torch.equal(run(pipe, size=size), before)


def test_paper_mode_hangs_nothing_more_on_the_unet(pipe):
    with fouriscale(pipe, CONFIG):
        assert not any(len(a._forward_pre_hooks) for a in self_attentions(pipe.unet))


def sparsities(pipe, config, **settings):
    """The dilation of every step, and how self-attention is thinned out: None, "keys" or a polyphase factor."""
    seen = []

    def look(_pipe, _step, _timestep, values):
        state = current_state(pipe)
        sparsity = state.sparsity
        seen.append((state.dilation, sparsity and (sparsity.factor or "keys")))
        return values

    scaled(pipe, config, callback_on_step_end=look, **settings)
    return seen


@pytest.mark.slow
def test_attention_changes_where_the_dilation_ends(pipe):
    config = CONFIG.replace(attention="polyphase", stop=0.5)
    assert sparsities(pipe, config, steps=4) == 2 * [(2.0, 2)] + 2 * [(1.0, None)]
    config = config.replace(late_attention="downsampled keys")
    assert sparsities(pipe, config, steps=4) == 2 * [(2.0, 2)] + 2 * [(1.0, "keys")]
    config = CONFIG.replace(late_attention="polyphase", stop=0.5)
    assert sparsities(pipe, config, steps=4) == 2 * [(2.0, None)] + 2 * [(1.0, 2)]


@pytest.mark.slow
def test_polyphase_grids_follow_the_dilation(pipe):
    config = CONFIG.replace(attention="polyphase", start=0.0, stop=1.0)
    found = sparsities(pipe, config, steps=4, size=(384, 384))
    assert found == [(3.0, 3), (2.5, 3), (2.0, 2), (1.5, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["paper", "layerwise"])
@pytest.mark.parametrize("changes", [{}, {"third_branch": False}, {"early_guidance": 2.0}])
def test_split_rows_give_the_same_picture(pipe, mode, changes):
    config = CONFIG.replace(mode=mode, **changes)
    whole = scaled(pipe, config, prompts=2)
    rows = []
    hook = pipe.unet.conv_in.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    apart = scaled(pipe, config.replace(split_rows=True), prompts=2)
    hook.remove()
    assert relative(apart, whole) < 1e-5
    guidance_rows = 2 if config.chosen("third_branch") else 0
    assert rows == 3 * [2, 2 + guidance_rows] + [4]  # three active steps of four


@pytest.mark.slow
def test_split_rows_without_guidance_are_not_split(pipe):
    whole = scaled(pipe, CONFIG, guidance=1.0)
    assert torch.equal(scaled(pipe, CONFIG.replace(split_rows=True), guidance=1.0), whole)


@pytest.mark.slow
def test_an_exception_in_the_first_of_split_rows_leaves_nothing(pipe):
    config = CONFIG.replace(split_rows=True)
    whole = scaled(pipe, config)
    with fouriscale(pipe, config):

        def fail(*_):
            raise RuntimeError("stopped")

        hook = pipe.unet.conv_in.register_forward_hook(fail)
        with pytest.raises(RuntimeError, match="stopped"):
            run(pipe)
        hook.remove()
        assert torch.equal(run(pipe), whole)


@pytest.mark.slow
@pytest.mark.parametrize("third_branch", [True, False])
def test_batches_equal_singles_in_layerwise_mode(pipe, third_branch):
    config = LAYERWISE.replace(third_branch=third_branch)
    both = scaled(pipe, config, prompts=2)
    for i in range(2):
        assert relative(both[i : i + 1], scaled(pipe, config, first=i)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(pipe, dtype):
    exact = scaled(pipe, LAYERWISE)
    pipe.unet.to(dtype)
    assert relative(scaled(pipe, LAYERWISE).float(), exact) < 0.1
