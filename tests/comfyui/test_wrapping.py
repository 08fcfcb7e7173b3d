"""Wrapping on ComfyUI's UNet: rolled noise gives the rolled answer."""

import pytest
import torch

from comfyui import deep_grid, wrapping
from fouriscale import wrap
from fouriscale.maths.wrap import WRAPS

from .models import SCALE, both, by_diffusers, config, noise_of, sampled_once

MODELS = {kind: both(kind) for kind in ("sd", "xl")}
STRIDE = {"sd": 8, "xl": 4}  # latent pixels to one of the coarsest map
STEP = 501


def apart(patcher, size, by):
    """How far the answer to rolled noise is from the rolled answer."""
    noise = noise_of(size)
    answer = sampled_once(patcher, noise, STEP).noise
    rolled = sampled_once(patcher, noise.roll(by, (-2, -1)), STEP).noise
    return (rolled - answer.roll(by, (-2, -1))).abs().max()


@pytest.mark.parametrize("axes", wrapping.CHOICES)
@pytest.mark.parametrize("kind", MODELS)
def test_rolling_the_noise_rolls_the_answer(kind, axes):
    _, patcher = MODELS[kind]
    by = [STRIDE[kind] * closed for closed in WRAPS[axes]]
    assert apart(wrapping.apply(patcher, axes), (16, 24), by) < 1e-5
    assert apart(patcher, (16, 24), by) > 1e-2


@pytest.mark.parametrize("kind", MODELS)
def test_only_the_axis_that_was_asked_for_wraps(kind):
    _, patcher = MODELS[kind]
    assert apart(wrapping.apply(patcher, "width"), (16, 24), (STRIDE[kind], 0)) > 1e-2


@pytest.mark.parametrize("axes", wrapping.CHOICES)
@pytest.mark.parametrize("kind", MODELS)
def test_same_as_on_diffusers(kind, axes):
    unet, patcher = MODELS[kind]
    answer = sampled_once(wrapping.apply(patcher, axes), noise_of((16, 24)), STEP)
    with wrap(unet, axes):
        expected = by_diffusers(unet, answer)
    assert (answer.noise - expected).abs().max() < 1e-4


@pytest.mark.parametrize("kind", MODELS)
def test_with_the_deep_grid_in_either_order(kind):
    """Shifts are those that the grid's own strides divide: twice as long as without a grid."""
    _, patcher = MODELS[kind]
    one = deep_grid.apply(wrapping.apply(patcher, "both"), config(kind))
    other = wrapping.apply(deep_grid.apply(patcher, config(kind)), "both")
    assert apart(one, (32, 32), (2 * STRIDE[kind], 2 * STRIDE[kind])) < 1e-5
    noise = noise_of((32, 32))
    assert torch.equal(sampled_once(one, noise, STEP).noise, sampled_once(other, noise, STEP).noise)


def test_a_side_that_cannot_wrap_is_refused():
    _, patcher = MODELS["sd"]
    with pytest.raises(ValueError, match=f"width {20 * SCALE} cannot wrap: .* multiple of {8 * SCALE}"):
        sampled_once(wrapping.apply(patcher, "width"), noise_of((16, 20)), STEP)
