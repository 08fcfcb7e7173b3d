"""Sizes that no machine of this kind could hold, refused before they fill the memory of this one."""

from __future__ import annotations

import psutil
import torch

from picturelab.pipeline import UNetPipeline

_MAPS = 4  # of the first level alive at once: input, output, the norm between them and a skip connection


def check_fits(pipe: UNetPipeline, height: int, width: int, batch: int) -> None:
    """Does the memory of the pipeline's device hold `batch` pictures of `height` x `width` pixels?

    Raises:
        ValueError: the UNet's first level, or the decoded pictures in float32, alone take more than all of it.
    """
    scale, unet = pipe.vae_scale_factor, pipe.unet
    pixels = batch * height * width
    level = _MAPS * unet.config.block_out_channels[0] * pixels // scale**2 * unet.dtype.itemsize
    needed = max(level, 2 * 3 * 4 * pixels)  # pictures are decoded and then brought between 0 and 1
    memory = psutil.virtual_memory().total
    if unet.device.type == "cuda":
        memory = torch.cuda.get_device_properties(unet.device).total_memory
    if needed > memory:
        several = f", {batch} at once" if batch > 1 else ""
        raise ValueError(
            f"width {width}, height {height}{several} needs {needed / 2**30:,.0f} GiB at least, and there are "
            f"{memory / 2**30:,.0f} GiB here"
        )
