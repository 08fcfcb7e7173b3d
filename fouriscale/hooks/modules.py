"""What in a UNet FouriScale attaches to, and what it refuses."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from torch import nn

from ..config import FouriScaleConfig
from ..maths.grid import Levels
from .convolution import refuse_patched


@dataclass(frozen=True)
class ListedConvolution:
    """A convolution that the config names.

    Attributes:
        name: in the UNet.
        conv: the module.
        filtered: whether it is filtered, or dilated only.
        level: how many downsamplings below the sample it reads; None where its name does not tell.
    """

    name: str
    conv: nn.Conv2d
    filtered: bool
    level: int | None


def listed_convolutions(unet: UNet2DConditionModel, config: FouriScaleConfig) -> list[ListedConvolution]:
    """Each convolution that the config names.

    Raises:
        ValueError: a pattern matches nothing, or a convolution is patched by anything else.
    """
    named = spatial_convolutions(unet)
    for pattern in config.layers:
        if not any(_at_or_below(name, [pattern]) for name in named):
            raise ValueError(
                f"layer pattern {pattern!r} matches no convolution with a kernel larger than 1 in this "
                f"{type(unet).__name__}; its names begin with {', '.join(sorted({n.split('.')[0] for n in named}))}"
            )
    convolutions = {name: conv for name, conv in named.items() if _at_or_below(name, config.layers)}
    refuse_patched(convolutions)
    levels = len(unet.config["block_out_channels"])
    return [
        ListedConvolution(name, conv, not _at_or_below(name, config.unfiltered), level_of(name, levels))
        for name, conv in convolutions.items()
    ]


def spatial_convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """Those whose kernel is larger than 1, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    }


def padded_outside(model: nn.Module) -> set[nn.Conv2d]:
    """The convolutions that diffusers pads before it calls them, by zeros at the right and below."""
    owners = (module for module in model.modules() if isinstance(module, Downsample2D))
    return {conv for owner in owners if owner.padding == 0 for conv in spatial_convolutions(owner).values()}


def levels_of(
    unet: UNet2DConditionModel, config: FouriScaleConfig, listed: Iterable[ListedConvolution]
) -> Levels:
    """The UNet's levels, and that at which the deep grid begins: where the first listed down block is.

    Raises:
        ValueError: the config's own choice lies outside the UNet, or there is to be a deep grid and no level for it.
    """
    count = len(unet.down_blocks)
    if config.deep and count == 1:
        raise ValueError(
            f"this {type(unet).__name__} has a single level, so no deeper one can be on a grid of its own: "
            'set grid="full"'
        )
    down = [one.level for one in listed if one.name.startswith("down_blocks.") and one.level is not None]
    grid = config.grid_level
    if grid is None:
        return Levels(count, max(min(down, default=count - 1), 1))
    if grid >= count:
        raise ValueError(
            f"grid_level={grid}: must be from 1 to {count - 1} in this {type(unet).__name__} of {count} levels"
        )
    return Levels(count, grid)


def level_of(name: str, levels: int) -> int | None:
    """How many downsamplings below the sample a layer reads, in a UNet of so many levels."""
    parts = name.split(".")
    if parts[0] == "mid_block":
        return levels - 1
    if parts[0] == "down_blocks":
        return int(parts[1])
    if parts[0] == "up_blocks":
        # An upsampler's convolution comes after the upsampling.
        return levels - 1 - int(parts[1]) - ("upsamplers" in parts)
    return None


def _at_or_below(name: str, patterns: Iterable[str]) -> bool:
    """Whether the module or one of those around it matches a pattern."""
    parts = name.split(".")
    around = [".".join(parts[:i]) for i in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns for path in around)


def refuse_fused(attentions: Iterable[Attention]) -> None:
    """ValueError if a self-attention has no query and key projections of its own."""
    # Unfusing puts the processors back and leaves `fused_projections` set, so the processor is what counts.
    if any(type(attention.processor).__name__.startswith("Fused") for attention in attentions):
        raise ValueError(
            "the UNet's attention projections are fused, so query and key cannot be lent: "
            "call pipe.unfuse_qkv_projections() first"
        )


def self_attentions(unet: UNet2DConditionModel) -> dict[Attention, int | None]:
    """Each self-attention, and how many downsamplings below the sample it works; None: its name does not tell."""
    levels = len(unet.config["block_out_channels"])
    return {
        module: level_of(name, levels)
        for name, module in unet.named_modules()
        if isinstance(module, Attention) and not module.is_cross_attention
    }


def adapters(unet: UNet2DConditionModel) -> dict[str, Any]:
    """The LoRAs and the like on the UNet, by name. Each one replaces layers by wrappers."""
    return dict(getattr(unet, "peft_config", None) or {})
