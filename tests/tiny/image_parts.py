"""What small text-to-image pipelines share beside the text: the autoencoder and the flow-matching scheduler."""

from __future__ import annotations

import diffusers


def vae(levels: int = 2, channels: int = 4) -> diffusers.AutoencoderKL:
    return diffusers.AutoencoderKL(
        block_out_channels=(8,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=32,
        mid_block_add_attention=False,
        shift_factor=0.0,
    )


def flow(**more: object) -> diffusers.FlowMatchEulerDiscreteScheduler:
    return diffusers.FlowMatchEulerDiscreteScheduler(**more)
