"""The deep grid on ComfyUI's UNet: what diffusers' UNet computes with the same weights."""

import pytest
import torch

from comfyui import deep_grid
from fouriscale import fouriscale

from .models import SCALE, both, by_diffusers, config, noise_of, sampled_once, scheduler

EARLY, LAST_DEEP, LATE = 961, 201, 161  # timesteps of 25, of which 20 are on the grid
MODELS = {kind: both(kind) for kind in ("sd", "xl")}
SIZES = ((32, 32), (32, 24), (33, 23), (17, 61))


@pytest.mark.parametrize("timestep", [EARLY, LAST_DEEP, LATE])
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


def given_control(patcher, control):
    """A model whose every call comes with what a ControlNet or an adapter adds, as ComfyUI hands it over."""

    def call(executor, sample, timesteps, context, y, _, transformer_options, **kwargs):
        fresh = {side: list(residuals) for side, residuals in control.items()}  # ComfyUI empties the lists
        return executor(sample, timesteps, context, y, fresh, transformer_options, **kwargs)

    patched = patcher.clone()
    patched.add_wrapper_with_key("diffusion_model", "control", call)
    return patched


def residuals_of(channels, levels, size=(32, 24)):
    generator = torch.Generator().manual_seed(5)
    return [
        torch.randn(1, width, *(side // 2**level for side in size), generator=generator)
        for width, level in zip(channels, levels, strict=True)
    ]


def test_a_controlnet_is_resampled_as_on_diffusers():
    unet, patcher = MODELS["sd"]
    down = residuals_of([32] * 4 + [64] * 8, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    middle = residuals_of([64], [3])
    model = deep_grid.apply(given_control(patcher, {"input": [], "middle": middle, "output": down}), config())
    answer = sampled_once(model, noise_of((32, 24)), EARLY)
    added = dict(down_block_additional_residuals=down, mid_block_additional_residual=middle[0])
    with fouriscale(unet, config(), scheduler=scheduler(), vae_scale_factor=SCALE, guided=False):
        expected = by_diffusers(unet, answer, **added)
        without = by_diffusers(unet, answer)
    assert (answer.noise - expected).abs().max() < 1e-4
    assert (without - expected).abs().max() > 1e-2


def test_an_adapter_is_resampled_as_on_diffusers():
    unet, patcher = MODELS["sd"]
    within = residuals_of([32, 64, 64, 64], [0, 1, 2, 3])
    blocks = [None] * 12
    for place, maps in zip((2, 5, 8, 11), within, strict=True):
        blocks[11 - place] = maps  # ComfyUI takes the last first
    model = deep_grid.apply(given_control(patcher, {"input": blocks}), config())
    answer = sampled_once(model, noise_of((32, 24)), EARLY)
    with fouriscale(unet, config(), scheduler=scheduler(), vae_scale_factor=SCALE, guided=False):
        expected = by_diffusers(unet, answer, down_intrablock_additional_residuals=list(within))
    assert (answer.noise - expected).abs().max() < 1e-4


def test_a_self_attention_that_is_replaced_gets_all_tokens():
    _, patcher = MODELS["sd"]
    counts = []

    def replaced(query, key, value, extra_options):
        counts.append((query.shape[1], key.shape[1], value.shape[1]))
        return value

    other = patcher.clone()
    other.set_model_attn1_replace(replaced, "middle", 0)
    sampled_once(deep_grid.apply(other, config()), noise_of((32, 32)), LATE)
    assert counts == [(16, 16, 16)]
