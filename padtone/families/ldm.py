"""Latent Diffusion's first text-to-image model, with its parts put into Stable Diffusion's pipeline.

diffusers' own `LDMTextToImagePipeline` takes nothing but strings. `StableDiffusionPipeline` runs the same
parts by the same formulas (BERT without a mask, 77 tokens, guidance) and takes encodings too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

LENGTH = 77  # tokens that LDMTextToImagePipeline pads to, written into its code
_CLASS = "LDMTextToImagePipeline"


def is_ldm(model: str) -> bool:
    """Does a folder or a hub id hold a pipeline of this class?"""
    from diffusers import DiffusionPipeline

    from picturelab import hub

    folder = Path(model)
    if not folder.is_dir() and "ldm" not in model.lower():  # ask no hub about other models
        return False
    try:
        local = folder.is_dir() or hub.problem(model) is not None
        return DiffusionPipeline.load_config(model, local_files_only=local).get("_class_name") == _CLASS
    except OSError:
        return False


def load_ldm(model: str, device: str | None, dtype: str | None) -> Pipeline:
    """The model as a `StableDiffusionPipeline`."""
    import torch
    from diffusers import DiffusionPipeline

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kind = getattr(torch, dtype or ("float32" if where == "cpu" else "float16"))
    ldm = DiffusionPipeline.from_pretrained(model, dtype=kind).to(where)
    pipe = as_stable_diffusion(ldm)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def as_stable_diffusion(ldm: Any) -> Pipeline:
    """The same parts in another pipeline; they are shared, not copied.

    Args:
        ldm: a `LDMTextToImagePipeline`, which is no `Pipeline` of ours: it takes no encodings.
    """
    from diffusers import StableDiffusionPipeline

    ldm.tokenizer.model_max_length = LENGTH
    # That pipeline's constructor would rewrite an old scheduler's settings, so it gets another one first.
    settled = type(ldm.scheduler).from_config(ldm.scheduler.config, steps_offset=1, clip_sample=False)
    pipe = StableDiffusionPipeline(
        vae=ldm.vqvae,
        text_encoder=ldm.bert,
        tokenizer=ldm.tokenizer,
        unet=ldm.unet,
        scheduler=settled,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.register_modules(scheduler=ldm.scheduler)
    return pipe
