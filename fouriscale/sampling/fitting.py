"""Sizes that no machine of this kind could hold, refused before they fill the memory of this one."""

from __future__ import annotations

from typing import Any

import psutil
import torch

from picturelab.amounts import gibibytes
from picturelab.pipeline import Pipeline

from ..hooks.pipelines import denoiser_of
from ..hooks.rotary_families import FAMILIES

_MAPS = 4  # of the first level alive at once: input, output, the norm between them and a skip connection


def check_fits(pipe: Pipeline, height: int, width: int, batch: int) -> None:
    """Does the memory of the pipeline's device hold `batch` pictures of `height` x `width` pixels?

    Raises:
        ValueError: the UNet's first level or a transformer's tokens, or the decoded pictures in float32, alone take
            more than all of it.
    """
    denoiser: Any = denoiser_of(pipe)
    pixels = batch * height * width
    level = _MAPS * _numbers(pipe, denoiser, pixels) * denoiser.dtype.itemsize
    needed = max(level, 2 * 3 * 4 * pixels)  # pictures are decoded and then brought between 0 and 1
    memory = psutil.virtual_memory().total
    if denoiser.device.type == "cuda":
        memory = torch.cuda.get_device_properties(denoiser.device).total_memory
    if needed > memory:
        several = f", {batch} at once" if batch > 1 else ""
        raise ValueError(
            f"width {width}, height {height}{several} needs {gibibytes(needed)} at least, and there are "
            f"{gibibytes(memory)} here"
        )


def _numbers(pipe: Any, denoiser: Any, pixels: int) -> int:
    """How many numbers a map of the first level holds, or all tokens of a transformer together."""
    config = denoiser.config
    if type(denoiser).__name__ not in FAMILIES:
        return int(config.block_out_channels[0]) * pixels // int(pipe.vae_scale_factor) ** 2
    heads = config.get("num_attention_heads", 1) * config.get("attention_head_dim", 1)
    side: int = FAMILIES[type(denoiser).__name__].token_pixels(pipe)
    return int(config.get("hidden_size", heads)) * pixels // side**2
