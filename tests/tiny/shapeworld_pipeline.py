"""The toy world's UNet pipeline before any training."""

from __future__ import annotations

from diffusers import StableDiffusionPipeline

from shapeworld import models


def untrained_pipeline() -> StableDiffusionPipeline:
    """The architecture of shapeworld/unet with weights from torch's own generator: seed it for equal ones."""
    tokenizer = models.build_tokenizer()
    return models.build_pipeline(
        models.build_vae(), models.build_text_encoder(tokenizer), models.build_unet(), tokenizer
    )
