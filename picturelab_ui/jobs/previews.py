"""Small pictures of unfinished latents, to look at while a run goes on."""

from __future__ import annotations

import math
from typing import Any

import torch
from PIL import Image
from torch.nn import functional as F

SIDE = 64  # latent pixels of the longer side: decoding that much takes a fraction of a step


@torch.no_grad()
def preview(pipe: Any, latents: torch.Tensor, side: int = SIDE) -> Image.Image:
    """The first picture of a batch, decoded small.

    Args:
        pipe: whose VAE decodes.
        latents: (batch, channels, latent height, latent width), as a callback gets them.
        side: latents are averaged over blocks until the longer side has at most this many pixels.
    """
    vae = pipe.vae
    first = latents[:1]
    block = math.ceil(max(first.shape[-2:]) / side)
    # Means of noise shrink with the block; at a preview's coarseness the picture's own scale matters more.
    small = F.avg_pool2d(first, block) if block > 1 else first
    small = _unscaled(vae, small)
    half = vae.dtype == torch.float16 and getattr(vae.config, "force_upcast", False)
    if half:  # as the pipelines themselves do: SDXL's VAE overflows in float16
        vae.to(torch.float32)
    try:
        decoded = vae.decode(small.to(vae.dtype)).sample
    finally:
        if half:
            vae.to(torch.float16)
    picture: Image.Image = pipe.image_processor.postprocess(decoded.float())[0]
    return picture


def _unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents as the decoder takes them: some VAEs scale them as a whole, some channel by channel too."""
    config = vae.config
    mean, deviation = (getattr(config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is not None and deviation is not None:
        shape = (1, -1, 1, 1)
        mean, deviation = (torch.tensor(v).view(shape).to(latents) for v in (mean, deviation))
        return latents * deviation / config.scaling_factor + mean
    return latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0)
