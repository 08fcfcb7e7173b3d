import copy
import fnmatch

import pytest
import torch
from diffusers import (
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPAGPipeline,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fouriscale import FouriScaleConfig, apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
from tests.tiny.golden import build_pipe, load_case

CONFIG = FouriScaleConfig.preset("sd15", training_sizes=(128, 128), start=0.25, stop=0.75)


@pytest.fixture
def pipe():
    torch.manual_seed(0)
    case, _, unet = load_case("sd_square_2x")
    return build_pipe(case, unet)


def embeds(rows, seed=0):
    return torch.randn(rows, 77, 32, generator=torch.Generator().manual_seed(seed))


def run(pipe, prompts=1, size=(256, 256), steps=4, guidance=7.5, images_per_prompt=1, first=0, **kwargs):
    """Final latents; image i has its own noise and prompt, whatever the batch."""
    numbers = range(first, first + prompts)
    dtype = pipe.unet.dtype
    latents = [
        torch.randn(1, 4, size[0] // 8, size[1] // 8, generator=torch.Generator().manual_seed(100 * i + k))
        for i in numbers
        for k in range(images_per_prompt)
    ]
    return pipe(
        prompt_embeds=torch.cat([embeds(1, 1 + i) for i in numbers]).to(dtype),
        negative_prompt_embeds=torch.cat([embeds(1, 0) for _ in numbers]).to(dtype),
        latents=torch.cat(latents).to(dtype),
        height=size[0],
        width=size[1],
        num_images_per_prompt=images_per_prompt,
        num_inference_steps=steps,
        guidance_scale=guidance,
        output_type="latent",
        **kwargs,
    ).images


def relative(a, b):
    return (torch.linalg.norm(a - b) / torch.linalg.norm(b)).item()


def traces(unet):
    """Everything that a patch could leave behind on a module."""
    return {
        name: (
            sorted(vars(module)),
            *(len(getattr(module, h)) for h in ("_forward_hooks", "_forward_pre_hooks")),
        )
        for name, module in unet.named_modules()
    }


@pytest.mark.slow
def test_restores_bit_for_bit(pipe):
    before, keys, found = run(pipe), list(pipe.unet.state_dict()), traces(pipe.unet)

    assert apply_fouriscale(pipe, CONFIG) is pipe
    assert relative(run(pipe), before) > 0.01
    assert list(pipe.unet.state_dict()) == keys
    assert remove_fouriscale(pipe) is pipe
    assert traces(pipe.unet) == found
    assert torch.equal(run(pipe), before)

    with fouriscale(pipe, CONFIG) as same:
        assert same is pipe
        run(pipe)
    assert traces(pipe.unet) == found
    assert torch.equal(run(pipe), before)


@pytest.mark.slow
def test_restores_after_an_exception_inside_the_pipeline(pipe):
    before, found = run(pipe), traces(pipe.unet)

    def fail(_pipe, step, _timestep, values):
        if step == 1:
            raise RuntimeError("stopped by the user")
        return values

    with pytest.raises(RuntimeError, match="stopped by the user"), fouriscale(pipe, CONFIG):
        run(pipe, callback_on_step_end=fail)
    assert traces(pipe.unet) == found
    assert torch.equal(run(pipe), before)

    apply_fouriscale(pipe, CONFIG)
    undisturbed = run(pipe)
    with pytest.raises(RuntimeError, match="stopped by the user"):
        run(pipe, callback_on_step_end=fail)
    assert torch.equal(run(pipe), undisturbed)


@pytest.mark.slow
def test_twice_equals_once_and_the_last_config_holds(pipe):
    apply_fouriscale(pipe, CONFIG)
    once, found = run(pipe), traces(pipe.unet)
    apply_fouriscale(pipe, CONFIG)
    assert traces(pipe.unet) == found
    assert torch.equal(run(pipe), once)
    apply_fouriscale(pipe, CONFIG.replace(third_branch=False))
    assert not torch.equal(run(pipe), once)
    remove_fouriscale(pipe)
    remove_fouriscale(pipe)  # nothing to remove is fine
    assert current_state(pipe) is None


@pytest.mark.slow
def test_with_gives_back_what_was_there_before(pipe):
    apply_fouriscale(pipe, CONFIG)
    outer = run(pipe)
    with fouriscale(pipe, CONFIG.replace(anneal=False)):
        assert not torch.equal(run(pipe), outer)
    assert current_state(pipe).config == CONFIG
    assert torch.equal(run(pipe), outer)


def test_a_refused_config_leaves_the_earlier_one(pipe):
    apply_fouriscale(pipe, CONFIG)
    with pytest.raises(ValueError, match="matches no convolution"):
        apply_fouriscale(pipe, CONFIG.replace(layers=["nowhere.*"]))
    assert current_state(pipe).config == CONFIG


def test_settings_by_name(pipe):
    apply_fouriscale(pipe, CONFIG, mode="fast", stop=0.7)
    assert current_state(pipe).config == CONFIG.replace(mode="fast", stop=0.7)
    with fouriscale(pipe, CONFIG, floor=0.5):
        assert current_state(pipe).config == CONFIG.replace(floor=0.5)
    with pytest.raises(ValueError, match=r"^unknown setting 'stopp'; settings are training_sizes, "):
        apply_fouriscale(pipe, CONFIG, stopp=0.7)
    with pytest.raises(ValueError, match=r"^stop=2"):
        apply_fouriscale(pipe, CONFIG, stop=2)
    assert current_state(pipe).config == CONFIG.replace(mode="fast", stop=0.7)


@pytest.mark.parametrize("size", [(128, 128), (64, 128), (96, 72)])
def test_within_the_training_size_nothing_changes(pipe, size):
    plain = run(pipe, size=size)
    with fouriscale(pipe, CONFIG):
        assert torch.equal(run(pipe, size=size), plain)


@pytest.mark.slow
def test_rows_seen_by_the_unet(pipe):
    rows = []
    with fouriscale(pipe, CONFIG):
        handle = pipe.unet.conv_in.register_forward_hook(lambda _m, args, _out: rows.append(len(args[0])))
        run(pipe, prompts=2, steps=8)
        handle.remove()
    assert rows == [6] * 6 + [4] * 2  # active while i < 0.75 x 8; the stock batch after it


def test_steps_after_stop_are_the_plain_unet(pipe):
    apply_fouriscale(pipe.unet, CONFIG, scheduler=pipe.scheduler, guided=False)
    pipe.scheduler.set_timesteps(8)
    x, text = torch.randn(2, 4, 32, 32), embeds(2)
    with torch.no_grad():
        late = pipe.unet(x, pipe.scheduler.timesteps[6], text).sample
        remove_fouriscale(pipe)
        assert torch.equal(pipe.unet(x, pipe.scheduler.timesteps[6], text).sample, late)


@pytest.mark.slow
@pytest.mark.parametrize("third_branch", [True, False])
@pytest.mark.parametrize("guidance", [7.5, 1.0])
def test_batches_equal_singles(pipe, third_branch, guidance):
    with fouriscale(pipe, CONFIG.replace(third_branch=third_branch)):
        together = run(pipe, prompts=3, guidance=guidance)
        alone = torch.cat([run(pipe, prompts=1, first=i, guidance=guidance) for i in range(3)])
    assert relative(together, alone) < 1e-4


@pytest.mark.slow
def test_several_images_per_prompt(pipe):
    with fouriscale(pipe, CONFIG):
        four = run(pipe, prompts=2, images_per_prompt=2)
        first_prompt = run(pipe, prompts=1, images_per_prompt=2)
    assert relative(four[:2], first_prompt) < 1e-4


def test_without_guidance_it_is_the_conditional_estimate_of_the_guided_batch(pipe):
    x, text = torch.randn(1, 4, 32, 32), embeds(2)
    pipe.scheduler.set_timesteps(8)
    now = pipe.scheduler.timesteps[0]
    with torch.no_grad(), fouriscale(pipe.unet, CONFIG, scheduler=pipe.scheduler):
        guided = pipe.unet(torch.cat([x, x]), now, text, return_dict=False)[0]
    with torch.no_grad(), fouriscale(pipe.unet, CONFIG, scheduler=pipe.scheduler, guided=False):
        alone = pipe.unet(x, now, text[1:], return_dict=False)[0]
    assert guided.shape == (2, 4, 32, 32)
    assert alone.shape == (1, 4, 32, 32)
    assert relative(alone, guided[1:]) < 1e-5


@pytest.mark.slow
def test_third_branch_takes_query_and_key_of_the_conditional_rows(pipe):
    pipe.scheduler.set_timesteps(8)
    config = CONFIG.replace(training_sizes=(256, 256))
    attention = pipe.unet.mid_block.attentions[0].transformer_blocks[0]
    seen = {}
    # On maps below 16 the windows pass everything and the branches agree: sample where they do not.
    with torch.no_grad(), fouriscale(pipe.unet, config, scheduler=pipe.scheduler):
        for block in ("attn1", "attn2"):
            for name in ("to_q", "to_k", "to_v"):
                layer = getattr(getattr(attention, block), name)
                layer.register_forward_hook(
                    lambda _m, _a, out, key=f"{block}.{name}": seen.update({key: out})
                )
        pipe.unet(torch.randn(2, 4, 64, 64).repeat(2, 1, 1, 1), pipe.scheduler.timesteps[0], embeds(4))
    for key, rows in seen.items():
        assert len(rows) == 6
        assert torch.equal(rows[4:], rows[2:4]) == (
            key in ("attn1.to_q", "attn1.to_k", "attn2.to_k", "attn2.to_v")
        )


def test_early_guidance_scales_the_difference_until_start(pipe):
    x, text = torch.randn(1, 4, 32, 32).expand(2, -1, -1, -1), embeds(2)
    pipe.scheduler.set_timesteps(8)
    config = CONFIG.replace(early_guidance=2.4)
    for step, factor in ((1, 2.4), (2, 1.0)):
        now = pipe.scheduler.timesteps[step]
        with torch.no_grad(), fouriscale(pipe.unet, CONFIG, scheduler=pipe.scheduler):
            uncond, cond = pipe.unet(x, now, text).sample
        with torch.no_grad(), fouriscale(pipe.unet, config, scheduler=pipe.scheduler):
            boosted = pipe.unet(x, now, text).sample
        torch.testing.assert_close(boosted, torch.stack([uncond, uncond + factor * (cond - uncond)]))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_near_fp32(pipe, dtype):
    with fouriscale(pipe, CONFIG):
        exact = run(pipe, steps=2)
    half = copy.deepcopy(pipe).to(dtype)
    with fouriscale(half, CONFIG):
        rough = run(half, steps=2)
    assert rough.dtype == dtype
    assert relative(rough.float(), exact) < 0.05


@pytest.mark.slow
@settings(deadline=None, max_examples=12)
@given(st.integers(9, 48), st.integers(9, 48))
def test_any_latent_size(height, width):
    case, _, unet = load_case("sd_square_2x")
    pipe = build_pipe(case, unet)
    pipe.scheduler.set_timesteps(4)
    sample = torch.randn(1, 4, height, width).repeat(2, 1, 1, 1)
    with torch.no_grad(), fouriscale(unet, CONFIG, scheduler=pipe.scheduler):
        out = unet(sample, pipe.scheduler.timesteps[1], embeds(2)).sample
        assert current_state(unet).dilation >= 1
    assert out.shape == (2, 4, height, width)
    assert out.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [EulerDiscreteScheduler, HeunDiscreteScheduler, PNDMScheduler])
def test_other_schedulers_switch_off_at_stop(pipe, scheduler):
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
    active = []
    with fouriscale(pipe, CONFIG):
        handle = pipe.unet.conv_in.register_forward_hook(
            lambda _m, args, _out: active.append(len(args[0]) == 3)
        )
        run(pipe, steps=8)
        handle.remove()
    calls = len(pipe.scheduler.timesteps)
    assert len(active) == calls
    assert active == sorted(active, reverse=True)
    assert abs(sum(active) - 0.75 * calls) <= 2  # repeated timesteps move the border by one


def test_layers_are_the_published_ones():
    _, _, unet = load_case("sd_square_2x")
    pipe = build_pipe({"kind": "sd"}, unet)
    apply_fouriscale(pipe, CONFIG)
    patched = {n: m for n, m in unet.named_modules() if "_conv_forward" in vars(m)}
    resnets = [
        f"{block}.resnets.{i}.conv{k}"
        for block, count in [("down_blocks.2", 2), ("down_blocks.3", 2), ("mid_block", 2)]
        + [(f"up_blocks.{b}", 3) for b in range(3)]
        for i in range(count)
        for k in (1, 2)
    ]
    upsamplers = [f"up_blocks.{b}.upsamplers.0.conv" for b in range(3)]
    assert sorted(patched) == sorted([*resnets, "down_blocks.2.downsamplers.0.conv", *upsamplers])
    listed = current_state(pipe).convolutions
    unfiltered = [name for name in patched if not listed[name].filtered]
    assert unfiltered == [n for n in patched if fnmatch.fnmatch(n, "*upsamplers*")]


class NotAUNetPipeline:
    pass


@pytest.mark.parametrize("kind", [StableDiffusionPAGPipeline, StableDiffusionInstructPix2PixPipeline])
def test_refuses_pipelines_that_batch_differently(pipe, kind):
    other = kind(**pipe.components, requires_safety_checker=False)
    with pytest.raises(ValueError, match=kind.__name__):
        apply_fouriscale(other, CONFIG)
    assert current_state(pipe) is None


def test_refuses_what_it_cannot_patch(pipe):
    with pytest.raises(ValueError, match="NotAUNetPipeline has no UNet2DConditionModel"):
        apply_fouriscale(NotAUNetPipeline(), CONFIG)
    with pytest.raises(ValueError, match=r"block_out_channels=\(8, 16, 16, 16\).*sd15, sd21"):
        apply_fouriscale(pipe)
    with pytest.raises(TypeError, match="must be a FouriScaleConfig"):
        apply_fouriscale(pipe, "sd15")
    with pytest.raises(ValueError, match=r"layer pattern 'down_blocks\.9\.\*' matches no convolution"):
        apply_fouriscale(pipe, CONFIG.replace(layers=["mid_block.*", "down_blocks.9.*"]))
    conv = pipe.unet.mid_block.resnets[0].conv1
    conv._conv_forward = lambda x, weight, bias: x
    with pytest.raises(ValueError, match=r"mid_block\.resnets\.0\.conv1 is already patched"):
        apply_fouriscale(pipe, CONFIG)
    del conv._conv_forward
    assert current_state(pipe) is None


def test_refuses_fused_projections(pipe):
    pipe.fuse_qkv_projections()
    with pytest.raises(ValueError, match=r"call pipe\.unfuse_qkv_projections\(\) first"):
        apply_fouriscale(pipe, CONFIG)
    pipe.unfuse_qkv_projections()
    apply_fouriscale(pipe, CONFIG)
    pipe.fuse_qkv_projections()
    with pytest.raises(ValueError, match=r"call pipe\.unfuse_qkv_projections\(\) first"):
        run(pipe)
