"""What the name of a model stands for, and which kind of denoiser it has, before anything heavy is imported."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal

from picturelab import model_names, worlds
from picturelab.textfiles import nearest, read_json

from ..presets import preset_names, preset_notes

INDEX = "model_index.json"
UNET_CLASS = "UNet2DConditionModel"
# Those that `hooks.rotary_families` knows, whose module imports torch.
TRANSFORMER_CLASSES = (
    "FluxTransformer2DModel",
    "ChromaTransformer2DModel",
    "Flux2Transformer2DModel",
    "Krea2Transformer2DModel",
    "Lumina2Transformer2DModel",
    "QwenImageTransformer2DModel",
    "ZImageTransformer2DModel",
    "SD3Transformer2DModel",
)
Kind = Literal["shipped", "file", "folder", "hub"]
Part = Literal["unet", "transformer"]
"""Which of a model's parts is its denoiser."""


def locate(model: str) -> Kind:
    """What kind of model a name stands for.

    Raises:
        ValueError: it stands for nothing that could be loaded, or for a preset; hub ids are not looked up here.
    """
    return locate_any(model, has_denoiser)


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
    """Refuse what `configs.part_config` could not read: no preset, no folder with a denoiser's config, and no model.

    Raises:
        ValueError: it is none of these.
    """
    if model in preset_names() or folder_part(model) is not None:
        return
    try:
        locate(model)
    except ValueError as error:
        if "/" in model or os.path.exists(model):  # no preset was meant
            raise
        presets = ", ".join(preset_names())
        near = nearest(re.sub(r"[\s._-]", "", model.lower()), preset_names())
        if near:
            raise ValueError(f"there is no model or preset {model!r}{near}; presets are {presets}") from None
        raise ValueError(f"{error}; or a preset: {presets}") from None


def has_denoiser(index: dict[str, Any], model: str) -> None:
    """ValueError if a model_index.json names no denoiser that FouriScale knows."""
    part_of(index, model)


def part_of(index: dict[str, Any], model: str) -> Part:
    """Which of a pipeline's parts is its denoiser.

    Args:
        index: its model_index.json.

    Raises:
        ValueError: it has none that FouriScale knows.
    """
    unet, transformer = index.get("unet"), index.get("transformer")
    if isinstance(unet, list) and UNET_CLASS in unet:
        return "unet"
    if isinstance(transformer, list) and any(name in TRANSFORMER_CLASSES for name in transformer):
        return "transformer"
    kind = index.get("_class_name", "model of unknown class")
    raise ValueError(
        f"{model!r} is a {kind} without a {UNET_CLASS}, and without a transformer whose positions FouriScale knows: it "
        f"needs Stable Diffusion 1.x, 2.x or XL, or a pipeline with {', '.join(TRANSFORMER_CLASSES)}"
    )


def part_here(model: str) -> Part | None:
    """Whether a model has a "unet" or a "transformer", as far as this machine knows; None: only its hub does.

    Raises:
        ValueError: it has neither, or there is no such model.
    """
    if model in preset_names():
        return "transformer" if model in preset_names("transformer") else "unet"
    part = folder_part(model)
    if part is not None:
        return part
    kind = locate(model)
    if kind == "hub":
        return None
    if kind == "file":
        return "unet"
    world, _, name = model.partition("/")
    folder = worlds.world(world).folder(name) if kind == "shipped" else Path(model)
    return part_of(read_json(folder / INDEX, f"{model!r} has a {INDEX} that cannot be read"), model)


def folder_part(model: str) -> Part | None:
    """Which denoiser's config lies in a folder, which need hold nothing else; None: none does."""
    parts: tuple[Part, ...] = ("unet", "transformer")
    # Unlike pathlib, os.path bears any name.
    return next((part for part in parts if os.path.isfile(os.path.join(model, part, "config.json"))), None)


def _no_model(model: str, preset: str) -> str:
    example = preset_notes(preset)["example"]
    such_as = f", such as {example}" if example else ""
    return (
        f"{model!r} is a preset, the settings for a family of models, and no model: give a hub id or a diffusers "
        f"folder of that family{such_as}, or a .safetensors file; its settings are then found by themselves"
    )
