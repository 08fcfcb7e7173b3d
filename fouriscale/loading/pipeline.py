"""Find a model with a UNet, or with a transformer that FouriScale knows, by name and load it."""

from __future__ import annotations

from typing import Any

from diffusers import DiffusionPipeline

from picturelab import models
from picturelab.worlds import DEFAULT_MODEL

from . import single_file
from .names import TRANSFORMER_CLASSES, UNET_CLASS, has_denoiser, locate


def load_pipeline(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    dtype: str | None = None,
    preset: str | None = None,
    revision: str | None = None,
) -> DiffusionPipeline:
    """A pipeline with such a denoiser, see `picturelab.models.load_pipeline`.

    Args:
        model: "shapeworld/NAME" for a shipped one, a diffusers folder, a .safetensors file in Stable
            Diffusion's original layout, or a hub id "owner/name".
        preset: "sd21" or "sd21-768", for a Stable Diffusion 2 file that does not tell.

    Raises:
        ValueError: there is no such model, it cannot be reached, it has no such denoiser, its weights are not
            safetensors; the device or dtype is unknown.
    """
    locate(model)
    return models.load_pipeline(
        model,
        device=device,
        dtype=dtype,
        revision=revision,
        check=has_denoiser,
        read_file=lambda path, precision: single_file.load(path, precision, preset),
    )


def check_denoiser_entry(config: Any, model: str, part: str) -> None:
    """ValueError if a denoiser's config.json is none of a model that FouriScale knows."""
    known = [UNET_CLASS] if part == "unet" else list(TRANSFORMER_CLASSES)
    usual = UNET_CLASS if part == "unet" else "model of unknown class"
    kind = config.get("_class_name", usual) if isinstance(config, dict) else type(config).__name__
    if kind not in known:
        raise ValueError(
            f"{model!r} has a {part}/config.json of a {kind}: FouriScale needs a {', a '.join(known)}"
        )
