"""Find a model with a UNet, or with a transformer that FouriScale knows, by name and load it."""

from __future__ import annotations

from typing import Any, Literal

from diffusers import DiffusionPipeline

from picturelab import models
from picturelab.worlds import DEFAULT_MODEL

from ..hooks.rotary_families import FAMILIES
from . import single_file

_UNET = "UNet2DConditionModel"


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
    return models.load_pipeline(
        model,
        device=device,
        dtype=dtype,
        revision=revision,
        check=_has_denoiser,
        read_file=lambda path, precision: single_file.load(path, precision, preset),
    )


def locate(model: str) -> Literal["shipped", "file", "folder", "hub"]:
    """What kind of model a name stands for, before anything is loaded.

    Raises:
        ValueError: it stands for nothing that could be loaded; hub ids are not looked up here.
    """
    return models.locate(model, _has_denoiser, files=True)


def _has_denoiser(index: dict[str, Any], model: str) -> None:
    part_of(index, model)


def part_of(index: dict[str, Any], model: str) -> Literal["unet", "transformer"]:
    """Which of a pipeline's parts is its denoiser.

    Args:
        index: its model_index.json.

    Raises:
        ValueError: it has none that FouriScale knows.
    """
    unet, transformer = index.get("unet"), index.get("transformer")
    if isinstance(unet, list) and _UNET in unet:
        return "unet"
    if isinstance(transformer, list) and any(isinstance(c, str) and c in FAMILIES for c in transformer):
        return "transformer"
    kind = index.get("_class_name", "model of unknown class")
    raise ValueError(
        f"{model!r} is a {kind} without a {_UNET}, and without a transformer whose positions FouriScale knows: it "
        f"needs Stable Diffusion 1.x, 2.x or XL, or a pipeline with {', '.join(FAMILIES)}"
    )


def check_denoiser_entry(config: Any, model: str, part: str) -> None:
    """ValueError if a denoiser's config.json is none of a model that FouriScale knows."""
    known = [_UNET] if part == "unet" else list(FAMILIES)
    usual = _UNET if part == "unet" else "model of unknown class"
    kind = config.get("_class_name", usual) if isinstance(config, dict) else type(config).__name__
    if kind not in known:
        raise ValueError(
            f"{model!r} has a {part}/config.json of a {kind}: FouriScale needs a {', a '.join(known)}"
        )
