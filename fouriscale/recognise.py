"""Which preset is made for a UNet, from its config alone. What to look for stands in the preset's own file."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel

from picturelab.remarks import remark

from .config import FouriScaleConfig
from .maths.layers import derive_layers, has_mid_block
from .presets import preset_file, preset_names, read_yaml

_SIZED = "text_time"  # the addition_embed_type of UNets that are also told sizes, as SDXL's


def recognise_preset(unet: UNet2DConditionModel | Mapping[str, Any]) -> str:
    """The name of the preset made for this UNet's family, from its config alone.

    A preset fits where the UNet's config has what its `recognise` names; of several that fit, the one that
    names most is taken, and of those the first by name. A preset that cannot be read is named by a warning and
    passed over.

    Raises:
        ValueError: no preset fits; the sentence lists them.
    """
    config = _config(unet)
    marks = {}
    for name in preset_names():
        try:
            marks[name] = _marks(preset_file(name))
        except ValueError as error:
            remark(f"{error}; this preset is left out")
    fitting = [name for name in marks if marks[name] and _fits(config, marks[name])]
    if fitting:
        return max(fitting, key=lambda name: len(marks[name]))
    channels, text = tuple(config["block_out_channels"]), config["cross_attention_dim"]
    raise ValueError(
        f"no preset fits a UNet with block_out_channels={channels} and cross_attention_dim={text}; "
        f"give a FouriScaleConfig, for instance from one of the presets {', '.join(preset_names())}"
    )


def family_of(unet: UNet2DConditionModel | Mapping[str, Any]) -> str | None:
    """The same name; None where no preset fits."""
    with contextlib.suppress(ValueError):
        return recognise_preset(unet)
    return None


def config_for(unet: UNet2DConditionModel | Mapping[str, Any]) -> FouriScaleConfig:
    """The settings for this UNet: its family's preset, with layers of its own where its blocks differ.

    Distilled and pruned models (SSD-1B, Segmind Vega, BK-SDM, tiny-sd) and SDXL's refiner are recognised.

    Raises:
        ValueError: see `recognise_preset`.
    """
    name, config = recognise_preset(unet), _config(unet)
    published = _several(_marks(preset_file(name))["block_out_channels"])[0]
    if len(config["down_block_types"]) == len(published) and has_mid_block(config):
        return FouriScaleConfig.preset(name)
    return FouriScaleConfig.preset(name, layers=derive_layers(config))


def _config(unet: UNet2DConditionModel | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(unet, Mapping):
        return unet.config
    usual = inspect.signature(
        UNet2DConditionModel.__init__
    ).parameters  # a file may leave out what is as usual
    return {name: parameter.default for name, parameter in usual.items() if name != "self"} | dict(unet)


def _marks(path: Path) -> dict[str, Any]:
    """What a preset's file names under `recognise`: {key of the UNet's config: its value, or several}.

    Raises:
        ValueError: it is no mapping, names a key that no UNet has, or leaves out block_out_channels.
    """
    marks = read_yaml(path).get("recognise")
    if marks is None:  # a preset for those who name it
        return {}
    if not isinstance(marks, dict):
        raise ValueError(f"{path}: recognise={marks!r}: must hold 'key: value' lines of a UNet's config")
    known = inspect.signature(UNet2DConditionModel.__init__).parameters
    for key in marks:
        if key not in known:
            raise ValueError(f"{path}: recognise: {key!r} is no key of a UNet2DConditionModel's config")
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


def _fits(config: Mapping[str, Any], marks: Mapping[str, Any]) -> bool:
    # Left out means "not told sizes", since a preset for one kind does not serve the other.
    sized = config.get("addition_embed_type") == _SIZED
    if sized and "addition_embed_type" not in marks:
        return False
    return all(_among(config.get(key), wanted) for key, wanted in marks.items())


def _among(value: Any, wanted: Any) -> bool:
    """Whether a config's value is the one wanted, or one of several."""
    value = list(value) if isinstance(value, tuple) else value
    return bool(value == wanted or (isinstance(wanted, list) and value in wanted))
