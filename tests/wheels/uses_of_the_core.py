"""What the core alone can do; run as a script by an environment that has nothing else. Prints what it did."""

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

import padtone
from fouriscale import FouriScaleConfig, apply_fouriscale, remove_fouriscale
from tests.tiny.cross_attention_pipelines import sd1


@torch.no_grad()
def fouriscale_on_a_random_unet() -> None:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=32,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(4)
    layers = ["mid_block.resnets.*", "up_blocks.0.resnets.*"]
    config = FouriScaleConfig(training_sizes=(128, 128), layers=layers, start=0.25, stop=0.75)
    call = dict(
        sample=torch.randn(1, 4, 32, 32),
        timestep=scheduler.timesteps[0],
        encoder_hidden_states=torch.randn(1, 77, 32),
    )
    before = unet(**call).sample
    apply_fouriscale(unet, config, scheduler=scheduler, guided=False)
    assert not torch.allclose(unet(**call).sample, before)
    remove_fouriscale(unet)
    assert torch.equal(unet(**call).sample, before)
    print("FouriScale applied and removed")


def an_intervention_on_a_random_pipeline() -> None:
    pipe = sd1()
    full, padding, clean = (
        padtone.encode(pipe, "a red cat", keep)["prompt_embeds"][0] for keep in ("full", "padding", "clean")
    )
    changed = (padding != full).any(-1)  # the words' rows: beginning, three words, end
    assert 0 < changed.sum() < len(changed)
    assert torch.equal(padding[changed], clean[changed])
    print("padtone.encode swapped rows")


fouriscale_on_a_random_unet()
an_intervention_on_a_random_pipeline()
