"""Which preset is made for a denoiser, from its config alone. What to look for stands in the preset's own file."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
from diffusers import UNet2DConditionModel
from torch import nn

from picturelab.remarks import remark

from .config import FouriScaleConfig
from .config_kinds import Config, named_config
from .maths.layers import derive_layers, has_mid_block
from .presets import CLASS_KEY, UNET, fits, preset_file, preset_names, read_yaml

_UNET_CLASS = UNet2DConditionModel.__name__


def recognise_preset(denoiser: nn.Module | Mapping[str, Any]) -> str:
    """The name of the preset made for this UNet's or transformer's family, from its config alone.

    A preset fits where the denoiser's class is its own, and the config has what its `recognise` names; of several that
    fit, the one that names most is taken, and of those the first by name. A preset that cannot be read is named by a
    warning and passed over.

    Args:
        denoiser: the model, or its config, whose "_class_name" says of which class it is, left out for a UNet.

    Raises:
        ValueError: no preset fits; the sentence lists them.
    """
    kind, config = class_of(denoiser), _config(denoiser)
    marks, classes = {}, {}
    for name in preset_names():
        try:
            classes[name] = class_in(preset_file(name))
            marks[name] = _marks(preset_file(name)) if classes[name] == kind else {}
        except ValueError as error:
            remark(f"{error}; this preset is left out")
    fitting = [name for name in marks if marks[name] and fits(config, marks[name])]
    if fitting:
        return max(fitting, key=lambda name: len(marks[name]))
    if kind == _UNET_CLASS:
        channels, text = tuple(config["block_out_channels"]), config["cross_attention_dim"]
        raise ValueError(
            f"no preset fits a UNet with block_out_channels={channels} and cross_attention_dim={text}; "
            f"give a FouriScaleConfig, for instance from one of the presets {', '.join(preset_names(UNET))}"
        )
    known = dict.fromkeys(name for name in classes.values() if name not in (None, _UNET_CLASS))
    raise ValueError(
        f"no preset fits a {kind}: those for transformers are for {', '.join(map(str, known))}; give a PositionConfig, "
        "such as PositionConfig((1024, 1024))"
    )


def preset_of(denoiser: nn.Module | Mapping[str, Any]) -> str | None:
    """The same name; None where no preset fits."""
    with contextlib.suppress(ValueError):
        return recognise_preset(denoiser)
    return None


def config_for(denoiser: nn.Module | Mapping[str, Any]) -> Config:
    """The settings for this denoiser: its family's preset, with layers of its own where a UNet's blocks differ.

    Distilled and pruned UNets (SSD-1B, Segmind Vega, BK-SDM, tiny-sd) and SDXL's refiner are recognised.

    Raises:
        ValueError: see `recognise_preset`.
    """
    name, config = recognise_preset(denoiser), _config(denoiser)
    marks = _marks(preset_file(name))
    if CLASS_KEY in marks:
        return named_config(name)
    published = _several(marks["block_out_channels"])[0]
    if len(config["down_block_types"]) == len(published) and has_mid_block(config):
        return FouriScaleConfig.preset(name)
    return FouriScaleConfig.preset(name, layers=derive_layers(config))


def class_of(denoiser: nn.Module | Mapping[str, Any]) -> str:
    """The name of a denoiser's class."""
    if isinstance(denoiser, Mapping):
        return str(denoiser.get("_class_name", _UNET_CLASS))
    return type(denoiser).__name__


def usual_config(kind: str) -> dict[str, Any]:
    """What a config of this class of diffusers has where it says nothing; empty where there is no such class."""
    model = getattr(diffusers, kind, None)
    if not (isinstance(model, type) and issubclass(model, diffusers.ModelMixin)):
        return {}
    return {name: parameter.default for name, parameter in inspect.signature(model).parameters.items()}


def _config(denoiser: nn.Module | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(denoiser, Mapping):
        config: Any = denoiser.config
        return dict(config)
    return usual_config(class_of(denoiser)) | dict(denoiser)  # a file may leave out what is as usual


def class_in(path: Path) -> str | None:
    """The class of denoisers that a preset's file is made for; None where it is for those who name it.

    Raises:
        ValueError: it cannot be read, or says no class.
    """
    marks = read_yaml(path).get("recognise")
    if marks is None:
        return None
    if not isinstance(marks, dict):
        raise ValueError(f"{path}: recognise={marks!r}: must hold 'key: value' lines of a denoiser's config")
    kind = marks.get(CLASS_KEY, _UNET_CLASS)
    if not isinstance(kind, str):
        raise ValueError(
            f"{path}: recognise: {CLASS_KEY}={kind!r}: must be a name, such as FluxTransformer2DModel"
        )
    return kind


def _marks(path: Path) -> dict[str, Any]:
    """What a preset's file names under `recognise`: a transformer's `class`, and {key of the config: its value, or
    several}.

    Raises:
        ValueError: see `class_in`; or it names a key that no such denoiser has, or leaves out a UNet's
            block_out_channels.
    """
    kind = class_in(path)
    if kind is None:
        return {}
    marks: dict[str, Any] = read_yaml(path)["recognise"]
    known = usual_config(kind)
    for key in marks:
        if key not in known and key != CLASS_KEY:
            raise ValueError(f"{path}: recognise: {key!r} is no key of a {kind}'s config")
    if CLASS_KEY in marks:
        return marks
    channels = marks.get("block_out_channels")
    if not isinstance(channels, list) or not all(
        isinstance(shape, list) and shape and all(type(width) is int for width in shape)
        for shape in _several(channels)
    ):
        raise ValueError(
            f"{path}: recognise: block_out_channels={channels!r}: must be a list such as [320, 640, 1280], "
            "or several of them"
        )
    return marks


def _several(channels: list) -> list[list[int]]:
    """One list of channels or many, as many. The first is that which the preset's layers were written for."""
    return channels if channels and isinstance(channels[0], list) else [channels]
