"""Which of a UNet's layers the method changes, from its config alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def derive_layers(unet_config: Mapping[str, Any]) -> tuple[str, ...]:
    """Layer patterns for a UNet2DConditionModel of any block structure.

    The down blocks from a quarter of the latent's side downward with their downsamplers, the mid block
    where there is one, and every up block but the last with its upsamplers. For Stable Diffusion's four
    blocks this is the published list; for SDXL's three it is the published list and up_blocks.1's upsampler.
    """
    levels = len(unet_config["down_block_types"])
    patterns = []
    for level in range(2, levels):
        patterns.append(f"down_blocks.{level}.resnets.*")
        if level < levels - 1:  # the last one halves nothing
            patterns.append(f"down_blocks.{level}.downsamplers.*")
    if has_mid_block(unet_config):
        patterns.append("mid_block.resnets.*")
    for block in range(levels - 1):
        patterns += [f"up_blocks.{block}.resnets.*", f"up_blocks.{block}.upsamplers.*"]
    return tuple(patterns)


def has_mid_block(unet_config: Mapping[str, Any]) -> bool:
    """Whether the UNet has a mid block; pruned ones such as tiny-sd do without."""
    return unet_config.get("mid_block_type", "UNetMidBlock2DCrossAttn") is not None
