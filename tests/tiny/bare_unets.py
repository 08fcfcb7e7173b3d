"""UNets without a pipeline, of any number of levels and few channels, and calls of them in latent pixels."""

from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel

from fouriscale import FouriScaleConfig, fouriscale

SCHEDULER = SimpleNamespace(timesteps=torch.arange(9, -1, -1))  # ten steps, the first eight on the grid
FIRST, LAST_DEEP, LATE = 9, 2, 1  # their timesteps
CONFIG = FouriScaleConfig(
    training_sizes=(16, 16),
    layers=["down_blocks.1.*", "mid_block.*", "up_blocks.0.*"],
    start=0.2,
    stop=0.6,
    mode="fast",
)


def small_unet(levels=3, **changes):
    """Eight channels at each level, attention at the first and the last."""
    torch.manual_seed(3)
    down = ["CrossAttnDownBlock2D"] + ["DownBlock2D"] * (levels - 2) + ["CrossAttnDownBlock2D"]
    up = ["CrossAttnUpBlock2D"] + ["UpBlock2D"] * (levels - 2) + ["CrossAttnUpBlock2D"]
    given = dict(
        block_out_channels=(8,) * levels,
        layers_per_block=1,
        norm_num_groups=4,
        attention_head_dim=4,
        cross_attention_dim=8,
        down_block_types=down,
        up_block_types=up,
    )
    return UNet2DConditionModel(**given | changes).eval()


def applied(unet, config=CONFIG, guided=False):
    """FouriScale on a UNet by itself, whose sizes are in latent pixels."""
    return fouriscale(unet, config, scheduler=SCHEDULER, vae_scale_factor=1, guided=guided)


@torch.no_grad()
def call(unet, size, timestep=FIRST, rows=1, guided=False, **further):
    """What the UNet makes of noise; row i has its own noise and text, or pairs of rows have noise in common."""
    generators = [torch.Generator().manual_seed(i) for i in range(rows)]
    noise = [
        torch.randn(1, 4, *size, generator=generator) for generator in generators[: rows // (1 + guided)]
    ]
    text = torch.cat([torch.randn(1, 5, 8, generator=generator) for generator in generators])
    sample = torch.cat(noise * (1 + guided))
    return unet(sample.to(unet.dtype), timestep, encoder_hidden_states=text.to(unet.dtype), **further).sample


def map_sizes(unet, size, **settings):
    """{(block, the size of maps in its ResNets)} of a call, and the size of what comes out."""
    seen, hooks = set(), []
    for name, module in unet.named_modules():
        if name.endswith(("conv1", "conv2")):
            block = name.split(".resnets")[0]
            note = lambda _, args, __, block=block: seen.add((block, tuple(args[0].shape[-2:])))  # noqa: E731
            hooks.append(module.register_forward_hook(note))
    out = tuple(call(unet, size, **settings).shape[-2:])
    for hook in hooks:
        hook.remove()
    return seen, out


UNETS = {levels: small_unet(levels) for levels in (2, 3, 4)}
