"""The deep grid on ComfyUI's UNet: what diffusers' UNet computes with the same weights."""

import pytest
import torch

from comfyui import deep_grid
from fouriscale import fouriscale

from .models import SCALE, both, by_diffusers, config, noise_of, sampled_once, scheduler

EARLY, LAST_DEEP, LATE = 961, 201, 161  # timesteps of 25, of which 20 are on the grid
MODELS = {kind: both(kind) for kind in ("sd", "xl")}
SIZES = ((32, 32), (32, 24), (33, 23), (17, 61))


@pytest.mark.parametrize("timestep", (EARLY, LAST_DEEP, LATE))
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", MODELS)
def test_same_as_on_diffusers(kind, size, timestep):
    unet, patcher = MODELS[kind]
    answer = sampled_once(deep_grid.apply(patcher, config(kind)), noise_of(size), timestep)
    with fouriscale(unet, config(kind), scheduler=scheduler(), vae_scale_factor=SCALE, guided=False):
        expected = by_diffusers(unet, answer)
    plain = by_diffusers(unet, answer)
    assert (answer.noise - expected).abs().max() < 1e-4
    assert (plain - expected).abs().max() > 1e-2


@pytest.mark.parametrize("kind", MODELS)
def test_within_the_training_size_nothing_changes(kind):
    _, patcher = MODELS[kind]
    before = sampled_once(patcher, noise_of((16, 17)), EARLY).noise
    assert torch.equal(
        sampled_once(deep_grid.apply(patcher, config(kind)), noise_of((16, 17)), EARLY).noise, before
    )
