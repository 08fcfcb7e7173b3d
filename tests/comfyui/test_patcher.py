"""ComfyUI's ModelPatcher after the nodes: what it had is there again, and twice is once."""

import pytest
import torch
from torch import nn

from comfyui import NODE_CLASS_MAPPINGS, deep_grid, wrapping

from .models import both, config, noise_of, sampled_once

STEP = 501
SIZE = (32, 24)


@pytest.fixture(scope="module")
def patcher():
    return both("sd")[1]


def both_nodes(patcher):
    return wrapping.apply(deep_grid.apply(patcher, config()), "both")


def methods(patcher):
    """What stands for the methods that are patched as objects."""
    unet = patcher.model.diffusion_model
    convolutions = [module for module in unet.modules() if isinstance(module, nn.Conv2d)]
    upsamplers = [block[-1] for block in unet.output_blocks if type(block[-1]).__name__ == "Upsample"]
    return [conv._conv_forward.__func__ for conv in convolutions], [up.forward.__func__ for up in upsamplers]


def test_the_model_is_as_it_was(patcher):
    names, options = list(patcher.model.state_dict()), str(patcher.model_options)
    own = methods(patcher)
    before = sampled_once(patcher, noise_of(SIZE), STEP).noise
    patched = both_nodes(patcher)
    assert not torch.equal(sampled_once(patched, noise_of(SIZE), STEP).noise, before)
    assert list(patcher.model.state_dict()) == names
    assert torch.equal(sampled_once(patcher, noise_of(SIZE), STEP).noise, before)
    patched.unpatch_model()
    assert methods(patcher) == own
    assert str(patcher.model_options) == options
    assert not patcher.wrappers
    assert not patcher.object_patches


def test_models_take_turns(patcher):
    """Clones with one UNet in common, each with its own settings."""
    models = [
        patcher,
        deep_grid.apply(patcher, config()),
        wrapping.apply(patcher, "width"),
        both_nodes(patcher),
    ]
    first = [sampled_once(model, noise_of(SIZE), STEP).noise for model in models]
    again = [sampled_once(model, noise_of(SIZE), STEP).noise for model in reversed(models)][::-1]
    assert all(map(torch.equal, first, again))
    assert not any(torch.equal(one, other) for one in first for other in first if one is not other)


def test_twice_is_once_and_the_last_settings_count(patcher):
    once = wrapping.apply(deep_grid.apply(patcher, config()), "height")
    other = deep_grid.apply(patcher, config(grid_phases=((0.1, 1.0),), late_attention="full"))
    twice = wrapping.apply(deep_grid.apply(wrapping.apply(other, "width"), config()), "height")
    patches = twice.model_options["transformer_options"]["patches"]
    assert {name: len(entries) for name, entries in patches.items()} == dict.fromkeys(patches, 1)
    expected = sampled_once(once, noise_of(SIZE), STEP).noise
    assert torch.equal(sampled_once(twice, noise_of(SIZE), STEP).noise, expected)


def test_a_whole_run(patcher):
    """Euler, six steps and guidance, as ComfyUI's KSampler runs them; a cold model and a warm one agree."""
    import comfy.sample

    text = torch.randn(1, 7, 16, generator=torch.Generator().manual_seed(4))
    run = dict(steps=6, cfg=4.0, sampler_name="euler", scheduler="normal", seed=0, disable_pbar=True)
    conditions = dict(positive=[[text, {}]], negative=[[-text, {}]])

    def sampled(model):
        latent = torch.zeros(2, 4, *SIZE)
        noise = noise_of(SIZE, rows=2)
        return comfy.sample.sample(model, noise, latent_image=latent, **conditions, **run)

    model = both_nodes(patcher)
    assert torch.equal(sampled(model), sampled(both_nodes(patcher)))
    assert sampled(model).isfinite().all()
    assert not torch.allclose(sampled(model), sampled(patcher), atol=1e-2)


def test_another_kind_of_model_is_refused(patcher):
    other = patcher.clone()
    other.model = nn.Module()
    other.model.diffusion_model = nn.Linear(1, 1)
    for name, given in (("FouriScale", ("sd15", 0.8, True)), ("FouriScaleWrap", ("width",))):
        with pytest.raises(ValueError, match=r"samples with a Linear: .* for a UNetModel"):
            NODE_CLASS_MAPPINGS[name]().patch(other, *given)
