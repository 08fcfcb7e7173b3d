"""What in a pipeline FouriScale attaches to, and what it refuses."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import nn

from .config import FouriScaleConfig

CONV_FORWARD = "_conv_forward"  # torch's own method, which the patch shadows on the instance


def unet_of(pipe: Any) -> UNet2DConditionModel:
    """The pipeline's UNet, or ValueError if it has none that FouriScale knows."""
    unet = getattr(pipe, "unet", None)
    if not isinstance(unet, UNet2DConditionModel):
        raise ValueError(
            f"{type(pipe).__name__} has no UNet2DConditionModel as .unet: FouriScale works on convolutions, "
            "so it needs a Stable Diffusion 1.x, 2.x or XL pipeline"
        )
    return unet


def listed_convolutions(
    unet: UNet2DConditionModel, config: FouriScaleConfig, ours: type
) -> list[tuple[nn.Conv2d, bool]]:
    """Each convolution that the config names, and whether it is filtered.

    Raises:
        ValueError: a pattern matches nothing, or a convolution is patched by anything but `ours`.
    """
    named = {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1
    }
    for pattern in config.layers:
        if not any(_at_or_below(name, [pattern]) for name in named):
            raise ValueError(
                f"layer pattern {pattern!r} matches no convolution with a kernel larger than 1 in this "
                f"{type(unet).__name__}; its names begin with {', '.join(sorted({n.split('.')[0] for n in named}))}"
            )
    listed = {name: conv for name, conv in named.items() if _at_or_below(name, config.layers)}
    for name, conv in listed.items():
        forward = vars(conv).get(CONV_FORWARD)
        if forward is not None and not isinstance(forward, ours):
            raise ValueError(f"the convolution {name} is already patched by {forward!r}; take that off first")
    return [(conv, not _at_or_below(name, config.unfiltered)) for name, conv in listed.items()]


def _at_or_below(name: str, patterns: Iterable[str]) -> bool:
    """Whether the module or one of those around it matches a pattern."""
    parts = name.split(".")
    around = [".".join(parts[:i]) for i in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns for path in around)


def refuse_other_batches(pipe: Any) -> None:
    """ValueError if the pipeline's rows are not [unconditional, conditional]."""
    name = type(pipe).__name__
    if "PAG" in name or "InstructPix2Pix" in name or not hasattr(type(pipe), "do_classifier_free_guidance"):
        raise ValueError(
            f"{name} arranges the UNet's rows in its own way: FouriScale needs [unconditional, conditional] rows "
            "as in StableDiffusionPipeline and StableDiffusionXLPipeline"
        )


def refuse_fused(attentions: Iterable[Attention]) -> None:
    """ValueError if a self-attention has no query and key projections of its own."""
    # Unfusing puts the processors back and leaves `fused_projections` set, so the processor is what counts.
    if any(type(attention.processor).__name__.startswith("Fused") for attention in attentions):
        raise ValueError(
            "the UNet's attention projections are fused, so query and key cannot be lent: "
            "call pipe.unfuse_qkv_projections() first"
        )


def self_attentions(unet: UNet2DConditionModel) -> list[Attention]:
    return [m for m in unet.modules() if isinstance(m, Attention) and not m.is_cross_attention]
