"""ControlNets: whether a folder holds one, whether it fits the model, and loading it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picturelab import weights
from picturelab.failures import printable, reason
from picturelab.model_names import HUB_ID
from picturelab.quiet import silence
from picturelab.textfiles import read_json

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from picturelab.pipeline import UNetPipeline

_KIND = "ControlNetModel"
# What a ControlNet and its UNet have in common.
_SHARED = (
    "block_out_channels",
    "layers_per_block",
    "cross_attention_dim",
    "addition_embed_type",
    "projection_class_embeddings_input_dim",
)


def check(model: str) -> None:
    """Refuse what is no ControlNet, before anything is loaded; hub ids are not looked up.

    Raises:
        ValueError: it is a folder of something else, or neither a folder nor a hub id.
    """
    folder = Path(model)
    if os.path.isfile(folder / "config.json"):  # unlike pathlib, it bears any name
        _check_class(_config_of_folder(folder), model)
        return
    if (
        os.path.exists(folder)
        or not HUB_ID.fullmatch(model)
        or folder.suffix in (".safetensors", ".ckpt", ".pth")
    ):
        raise ValueError(
            f"control {printable(model)!r}: must be a ControlNet's folder, which holds a config.json, or a hub id "
            f"such as owner/name{_instead(folder)}"
        )


def load(model: str, pipe: UNetPipeline) -> ControlNetModel:
    """A ControlNet for a pipeline, on its device.

    Raises:
        ValueError: it cannot be had, is something else, or does not fit the pipeline's UNet.
    """
    from diffusers import ControlNetModel

    from picturelab import hub
    from picturelab.model_folder import variant_of
    from picturelab.models import unreachable

    folder = Path(model)
    here = folder.is_dir()
    problem = None if here else hub.problem(model)
    local = here or problem is not None
    if here:
        config = _config_of_folder(folder)
    else:
        try:
            config = ControlNetModel.load_config(model, local_files_only=local)
        except (OSError, ValueError) as error:
            raise unreachable(model, problem or error) from error
    _check_class(config, model)
    _check_fits(config, pipe, model)
    try:
        variant = variant_of([folder]) if here else None
        return _weights(model, local, variant, pipe)
    except OSError as error:
        if here:
            raise ValueError(f"control {printable(model)!r} cannot be loaded ({reason(error)})") from error
    try:
        return _weights(model, local, "fp16", pipe)  # some are on the hub in half precision only
    except OSError as error:
        raise unreachable(model, problem or error) from error


def _weights(model: str, local: bool, variant: str | None, pipe: UNetPipeline) -> ControlNetModel:
    """The loaded model; OSError where it has no such files."""
    from diffusers import ControlNetModel

    try:
        with silence():
            net, loading = ControlNetModel.from_pretrained(
                model,
                dtype=pipe.unet.dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=local,
                output_loading_info=True,
            )
    except OSError:  # a file that is not there
        raise
    except Exception as error:
        raise ValueError(f"control {printable(model)!r} cannot be loaded ({reason(error)})") from error
    if loading["missing_keys"]:
        raise ValueError(
            f"control {printable(model)!r} is incomplete: {len(loading['missing_keys'])} tensors are missing, "
            f"such as {sorted(loading['missing_keys'])[0]}"
        )
    return net.to(pipe.device)


def _config_of_folder(folder: Path) -> dict[str, Any]:
    name = f"control {printable(str(folder))!r}"
    return read_json(folder / "config.json", f"{name} has a config.json that cannot be read")


def _check_class(config: Mapping[str, Any], model: str) -> None:
    others = config.get("architectures")  # in transformers' files
    names = config.get("_class_name"), *(others if isinstance(others, list) else ())
    kind = next(filter(None, names), _KIND if "conditioning_embedding_out_channels" in config else None)
    if kind != _KIND:
        says = f"says that it is a {printable(str(kind))}" if kind else "does not say what it is"
        raise ValueError(f"control {printable(model)!r}: its config.json {says}: must be a {_KIND}")


def _check_fits(config: Mapping[str, Any], pipe: UNetPipeline, model: str) -> None:
    """ValueError that compares the numbers of a ControlNet and a UNet of another base."""
    from diffusers import ControlNetModel

    usual = inspect.signature(ControlNetModel.__init__).parameters

    def its(key: str) -> Any:
        return _comparable(config.get(key, usual[key].default))

    pairs = {key: (its(key), "the UNet's", _comparable(pipe.unet.config.get(key))) for key in _SHARED}
    pairs["in_channels"] = its("in_channels"), "the VAE's latents have", pipe.vae.config.latent_channels
    pairs["conditioning_channels"] = its("conditioning_channels"), "a picture has", 3
    differences = [
        f"{key} is {own}, {whose} {other}" for key, (own, whose, other) in pairs.items() if own != other
    ]
    if differences:
        raise ValueError(
            f"control {printable(model)!r} is for another model: its {'; its '.join(differences)}"
        )


def _comparable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _instead(folder: Path) -> str:
    """What stands there in place of a ControlNet, as the end of a sentence."""
    if os.path.isfile(folder) and folder.suffix == ".safetensors":
        try:
            return f"; it is a single file, {weights.kind_of(weights.shapes(folder))}"
        except ValueError as error:
            return f"; {error}"
    if os.path.isfile(folder / "model_index.json"):
        return "; it is a whole pipeline's folder"
    return ""
