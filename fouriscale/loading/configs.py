"""A model's configs without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
from diffusers import AutoencoderKL, DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError

from picturelab import hub, worlds
from picturelab.models import unreachable, usual_call
from picturelab.textfiles import read_json

from ..presets import TRANSFORMER, UNET, preset_file, preset_names
from ..recognise import class_in, usual_config
from . import single_file
from .names import INDEX, Part, folder_part, locate, part_here, part_of
from .pipeline import check_denoiser_entry

_PIPELINES = {"SD3Transformer2DModel": "StableDiffusion3Pipeline"}  # of families whose names differ
_TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
# Presets of the shipped models, and one of those whose shape they stand for.
_SHIPPED = {"shapeworld": "unet", "shapeworld-joint": "joint"}


@dataclass(frozen=True)
class TransformerParts:
    """The configs of a model with a transformer, as its folder has them; empty where there is none.

    Attributes:
        transformer: its config, with its class as "_class_name".
        scheduler: the scheduler's.
        index: the model_index.json.
        call: arguments of the pipeline's call that the folder names.
        vae_scale_factor: pixels a latent pixel.
    """

    transformer: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    index: Mapping[str, Any]
    call: Mapping[str, Any]
    vae_scale_factor: int

    @property
    def pipeline(self) -> type | None:
        """The pipeline's class: that of the index, and else of the transformer's family; None: not known."""
        denoiser = str(self.transformer["_class_name"])
        usual = _PIPELINES.get(denoiser, denoiser.replace("Transformer2DModel", "Pipeline"))
        kind = getattr(diffusers, str(self.index.get("_class_name", usual)), None)
        return kind if isinstance(kind, type) else None


def transformer_parts(model: str) -> TransformerParts:
    """The configs of a model with a transformer; see `part_config`."""
    return TransformerParts(
        transformer=part_config(model, TRANSFORMER),
        scheduler=part_config(model, "scheduler"),
        index={} if model in preset_names() else index_config(model),
        call=usual_call(f"{worlds.USUAL}/{_SHIPPED[model]}" if model in _SHIPPED else model),
        vae_scale_factor=vae_scale_factor(model),
    )


def denoiser_config(model: str, preset: str | None = None) -> dict[str, Any]:
    """The config of a model's UNet or transformer, with its class as "_class_name"; see `part_config`."""
    part = denoiser_part(model)
    config = part_config(model, part, preset)
    return {"_class_name": "UNet2DConditionModel"} | config if part == UNET else config


def unet_config(model: str, preset: str | None = None) -> dict[str, Any]:
    """The UNet's config of a model; see `part_config`."""
    return part_config(model, UNET, preset)


def denoiser_part(model: str) -> Part:
    """Whether a model has a "unet" or a "transformer".

    Raises:
        ValueError: it has neither, there is no such model, or it cannot be reached.
    """
    return part_here(model) or part_of(index_config(model), model)


def index_config(model: str) -> dict[str, Any]:
    """What a pipeline's model_index.json holds; empty for presets, files, and folders without one.

    Raises:
        ValueError: there is no such model, or its index cannot be read.
    """
    folder = _folder(model, None)
    if folder is None:
        return _from_hub(model, None)
    file = folder / INDEX
    return read_json(file, f"{model!r} has a {INDEX} that cannot be read") if file.is_file() else {}


def vae_scale_factor(model: str, preset: str | None = None) -> int:
    """Pixels a latent pixel, from the VAE's config; 8 where a folder holds none, as diffusers has it."""
    return int(2 ** (len(part_config(model, "vae", preset).get("block_out_channels", "1234")) - 1))


def part_config(model: str, part: str, preset: str | None = None) -> dict[str, Any]:
    """The config of one part of a model; empty where it has no such part, but for the denoiser, which it must have.

    Args:
        model: a preset's name, a folder that holds at least unet/config.json or transformer/config.json, or what
            `load_pipeline` takes.
        part: "unet", "transformer", "vae", "scheduler", "text_encoder" or "text_encoder_2".
        preset: for a Stable Diffusion 2 file that does not tell.

    Raises:
        ValueError: there is no such model, or its config cannot be read.
    """
    if model in preset_names() and model not in _SHIPPED and denoiser_part(model) == TRANSFORMER:
        # The published shape is what the class has where nothing is said.
        kind = str(class_in(preset_file(model)))
        return {"_class_name": kind} | usual_config(kind) if part == TRANSFORMER else {}
    folder = _folder(model, preset)
    return _from_hub(model, part) if folder is None else _read(folder, model, part)


def _folder(model: str, preset: str | None) -> Path | None:
    """Where a model's configs lie; None: at the hub."""
    if model in _SHIPPED:
        return worlds.world().folder(_SHIPPED[model])
    if model in preset_names():
        return single_file.COMPONENTS / model
    if folder_part(model) is not None:
        return Path(model)
    kind = locate(model)
    if kind == "shipped":
        shipped, _, name = model.partition("/")
        return worlds.world(shipped).folder(name)
    if kind == "file":
        return single_file.COMPONENTS / single_file.recognise(Path(model), preset)
    return Path(model) if kind == "folder" else None


def _from_hub(model: str, part: str | None) -> dict[str, Any]:
    """A part's config; None: the pipeline's index."""
    # A class is asked for the name of its file alone: models of all kinds have the same.
    kinds: dict[str | None, Any] = {None: DiffusionPipeline, "scheduler": FlowMatchEulerDiscreteScheduler}
    problem = hub.problem(model)
    local = problem is not None  # what the cache holds
    try:
        if part in _TEXT_ENCODERS:
            return _text_encoder_from_hub(model, part, local)
        return dict(kinds.get(part, AutoencoderKL).load_config(model, subfolder=part, local_files_only=local))
    except (OSError, ValueError) as error:
        raise unreachable(model, problem or error) from error


def _text_encoder_from_hub(model: str, part: str, local: bool) -> dict[str, Any]:
    """A text encoder's config; empty where the model has none such."""
    try:
        return read_json(Path(hf_hub_download(model, f"{part}/config.json", local_files_only=local)))
    except EntryNotFoundError:  # of a model that is in the cache, this file too is missing there
        return {}


def _read(folder: Path, model: str, part: str) -> dict[str, Any]:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    path = folder / part / name
    if not path.is_file():
        if part not in (UNET, TRANSFORMER):
            return {}
        raise ValueError(f"{model!r} holds no {part}/{name}")
    config = read_json(path, f"{model!r} has a {part}/{name} that cannot be read")
    if part in (UNET, TRANSFORMER):
        check_denoiser_entry(config, model, part)
    return config
