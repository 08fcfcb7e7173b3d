"""A model's configs without its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel

from picturelab import worlds
from picturelab.models import unreachable
from picturelab.textfiles import read_json

from ..presets import preset_names
from . import single_file
from .pipeline import check_unet_entry, locate

_KINDS: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}


def unet_config(model: str, preset: str | None = None) -> dict[str, Any]:
    """The UNet's config of a model; see `part_config`."""
    return part_config(model, "unet", preset)


def vae_scale_factor(model: str, preset: str | None = None) -> int:
    """Pixels a latent pixel, from the VAE's config; 8 where a folder holds none, as diffusers has it."""
    return int(2 ** (len(part_config(model, "vae", preset).get("block_out_channels", "1234")) - 1))


def part_config(model: str, part: str, preset: str | None = None) -> dict[str, Any]:
    """The config of a model's "unet" or "vae".

    Args:
        model: a preset's name, a folder that holds at least unet/config.json, or what `load_pipeline` takes.
        part: "unet" or "vae".
        preset: for a Stable Diffusion 2 file that does not tell.

    Raises:
        ValueError: there is no such model, or its config cannot be read.
    """
    if model in preset_names():
        folder = worlds.world().folder("unet") if model == worlds.USUAL else single_file.COMPONENTS / model
        return _read(folder, model, part)
    if os.path.isfile(Path(model) / "unet" / "config.json"):  # unlike pathlib, it bears any name
        return _read(Path(model), model, part)
    kind = locate(model)
    if kind == "shipped":
        shipped, _, name = model.partition("/")
        return _read(worlds.world(shipped).folder(name), model, part)
    if kind == "file":
        return _read(single_file.COMPONENTS / single_file.recognise(Path(model), preset), model, part)
    if kind == "folder":
        return _read(Path(model), model, part)
    try:
        return dict(_KINDS[part].load_config(model, subfolder=part))
    except (OSError, ValueError) as error:
        raise unreachable(model, error) from error


def _read(folder: Path, model: str, part: str) -> dict[str, Any]:
    path = folder / part / "config.json"
    if not path.is_file():
        if part == "vae":
            return {}
        raise ValueError(f"{model!r} holds no {part}/config.json")
    config = read_json(path, f"{model!r} has a {part}/config.json that cannot be read")
    if part == "unet":
        check_unet_entry(config, model)
    return config
