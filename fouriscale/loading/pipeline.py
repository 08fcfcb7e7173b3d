"""Find a model with a UNet by name and load it."""

from __future__ import annotations

from typing import Any

from diffusers import DiffusionPipeline

from picturelab import models
from picturelab.worlds import DEFAULT_MODEL

from . import single_file
from .names import UNET, has_unet, locate


def load_pipeline(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    dtype: str | None = None,
    preset: str | None = None,
    revision: str | None = None,
) -> DiffusionPipeline:
    """A pipeline with a UNet, see `picturelab.models.load_pipeline`.

    Args:
        model: "shapeworld/NAME" for a shipped one, a diffusers folder, a .safetensors file in Stable
            Diffusion's original layout, or a hub id "owner/name".
        preset: "sd21" or "sd21-768", for a Stable Diffusion 2 file that does not tell.

    Raises:
        ValueError: there is no such model, it cannot be reached, it has no UNet, its weights are not
            safetensors; the device or dtype is unknown.
    """
    locate(model)
    return models.load_pipeline(
        model,
        device=device,
        dtype=dtype,
        revision=revision,
        check=has_unet,
        read_file=lambda path, precision: single_file.load(path, precision, preset),
    )


def check_unet_entry(config: Any, model: str) -> None:
    """ValueError if a unet/config.json is none of a UNet2DConditionModel."""
    kind = config.get("_class_name", UNET) if isinstance(config, dict) else type(config).__name__
    if kind != UNET:
        raise ValueError(f"{model!r} has a unet/config.json of a {kind}: FouriScale needs a {UNET}")
