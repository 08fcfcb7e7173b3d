"""What the name of a model with a UNet stands for, before anything heavy is imported."""

from __future__ import annotations

import os
from typing import Any, Literal

from picturelab import model_names

from ..presets import preset_names, preset_notes

UNET = "UNet2DConditionModel"
Kind = Literal["shipped", "file", "folder", "hub"]


def locate(model: str) -> Kind:
    """What kind of model a name stands for.

    Raises:
        ValueError: it stands for nothing that could be loaded, or for a preset; hub ids are not looked up here.
    """
    return locate_any(model, has_unet)


def locate_any(model: str, check: model_names.CheckIndex = model_names.any_pipeline) -> Kind:
    """The same of a model with any denoiser that `check` lets pass.

    Raises:
        ValueError: see `locate`.
    """
    preset = next((name for name in preset_names() if name == model.lower()), None)
    if preset is not None and not os.path.exists(model):
        raise ValueError(_no_model(model, preset))
    return model_names.locate(model, check, files=True)


def check_configs(model: str) -> None:
    """Refuse what `configs.part_config` could not read: no preset, no folder with a UNet's config, and no model.

    Raises:
        ValueError: it is none of these.
    """
    if model not in preset_names() and not os.path.isfile(os.path.join(model, "unet", "config.json")):
        locate(model)


def has_unet(index: dict[str, Any], model: str) -> None:
    """ValueError if a model_index.json names no UNet of the kind that FouriScale works on."""
    unet = index.get("unet")
    if not isinstance(unet, list) or UNET not in unet:
        raise ValueError(
            f"{model!r} is a {index.get('_class_name', 'model of unknown class')} without a {UNET}: "
            "FouriScale works on convolutions, so it needs Stable Diffusion 1.x, 2.x or XL"
        )


def _no_model(model: str, preset: str) -> str:
    example = preset_notes(preset)["example"]
    such_as = f", such as {example}" if example else ""
    return (
        f"{model!r} is a preset, the settings for a family of models, and no model: give a hub id or a diffusers "
        f"folder of that family{such_as}, or a .safetensors file; its settings are then found by themselves"
    )
