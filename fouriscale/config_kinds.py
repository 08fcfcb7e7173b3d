"""Settings of whichever kind: for UNets or for transformers, told apart by what files and recipes say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picturelab.bounds import shown

from . import presets
from .config import FouriScaleConfig
from .position_config import PositionConfig

Config = FouriScaleConfig | PositionConfig
_KINDS: dict[str, type[Config]] = {kind.DENOISER: kind for kind in (FouriScaleConfig, PositionConfig)}
_ANY = {presets.UNET: "sd15", presets.TRANSFORMER: "flux"}  # a preset of each kind shows what settings may be


def config_of(values: Mapping[str, Any]) -> Config:
    """The settings of plain values, such as a recipe's.

    Raises:
        ValueError, TypeError: see `PresetSettings.from_dict`.
    """
    return _kind(values).from_dict(values)


def named_config(name: str, **changes: Any) -> Config:
    """What people type: a preset's name or a YAML file, with some settings changed.

    Raises:
        ValueError, TypeError: see `PresetSettings.named`.
    """
    path = Path(name) if presets.is_file_name(name) else presets.preset_file(name)
    try:
        kind = _kind(presets.read_yaml(path))
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    return kind.named(name, **changes)


def check_changes(changes: Mapping[str, Any], denoiser: str | None = None) -> None:
    """Are these settings of a kind of denoiser, and within range, as far as that shows without a model?

    Args:
        denoiser: "unet" or "transformer"; None: it is not known, and the settings' names tell.

    Raises:
        ValueError, TypeError: see `PresetSettings.from_dict`.
    """
    if denoiser is None:
        of_transformers = PositionConfig.model_fields.keys() - FouriScaleConfig.model_fields.keys()
        denoiser = presets.TRANSFORMER if changes.keys() & of_transformers else presets.UNET
    named_config(_ANY[denoiser], **changes)


def check_kind(config: Config, denoiser: str, model: str) -> None:
    """Are the settings for the kind of denoiser that a model has?

    Args:
        denoiser: "unet" or "transformer".
        model: its name.

    Raises:
        ValueError: they are not; the sentence lists the presets that are.
    """
    if denoiser != config.DENOISER:
        raise ValueError(
            f"these settings are for a {config.DENOISER}, and {model} has a {denoiser}; the presets for those are "
            f"{', '.join(presets.preset_names(denoiser))}"
        )


def _kind(values: Mapping[str, Any]) -> type[Config]:
    denoiser = values.get(presets.DENOISER_KEY, presets.UNET)
    if not isinstance(denoiser, str) or denoiser not in _KINDS:
        raise ValueError(
            f"{presets.DENOISER_KEY}={shown(denoiser)}: must be one of {', '.join(presets.DENOISERS)}"
        )
    return _KINDS[denoiser]
