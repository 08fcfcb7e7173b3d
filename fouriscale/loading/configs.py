"""A model's configs without its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

from picturelab import hub, worlds
from picturelab.models import unreachable
from picturelab.textfiles import read_json

from ..presets import preset_names
from . import single_file
from .names import locate
from .pipeline import check_unet_entry

_KINDS: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}


def unet_config(model: str, preset: str | None = None) -> dict[str, Any]:
    """The UNet's config of a model; see `part_config`."""
    return part_config(model, "unet", preset)


def vae_scale_factor(model: str, preset: str | None = None) -> int:
    """Pixels a latent pixel, from the VAE's config; 8 where a folder holds none, as diffusers has it."""
    return int(2 ** (len(part_config(model, "vae", preset).get("block_out_channels", "1234")) - 1))


def part_config(model: str, part: str, preset: str | None = None) -> dict[str, Any]:
    """The config of one part of a model; {} where it has no such part, but for the UNet, which it must have.

    Args:
        model: a preset's name, a folder that holds at least unet/config.json, or what `load_pipeline` takes.
        part: "unet", "vae", "text_encoder" or "text_encoder_2".
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
    problem = hub.problem(model)
    try:
        if part not in _KINDS:
            return _from_hub(model, part, problem is not None)
        return dict(_KINDS[part].load_config(model, subfolder=part, local_files_only=problem is not None))
    except (OSError, ValueError) as error:
        raise unreachable(model, problem or error) from error


def _from_hub(model: str, part: str, local: bool) -> dict[str, Any]:
    """The config of a part that not every model has."""
    try:
        return read_json(Path(hf_hub_download(model, f"{part}/config.json", local_files_only=local)))
    except EntryNotFoundError:  # of a model that is in the cache, this file too is missing there
        return {}


def _read(folder: Path, model: str, part: str) -> dict[str, Any]:
    path = folder / part / "config.json"
    if not path.is_file():
        if part != "unet":
            return {}
        raise ValueError(f"{model!r} holds no {part}/config.json")
    config = read_json(path, f"{model!r} has a {part}/config.json that cannot be read")
    if part == "unet":
        check_unet_entry(config, model)
    return config
