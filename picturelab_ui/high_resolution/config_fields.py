"""FouriScale's settings as people edit them: one field each, lists one entry a line, sizes as WIDTHxHEIGHT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.config import CHOICES, MODES
from fouriscale.config_kinds import Config
from fouriscale.maths import choices, sizes
from fouriscale.maths.wrap import WRAPS
from fouriscale.position_config import AXES
from fouriscale.presets import TRANSFORMER, UNET
from picturelab import bounds
from picturelab.bounds import shown
from picturelab.notation import parse_size

UNET_SETTINGS = tuple(FouriScaleConfig.model_fields)
TRANSFORMER_SETTINGS = tuple(PositionConfig.model_fields)
SETTINGS = tuple(dict.fromkeys(UNET_SETTINGS + TRANSFORMER_SETTINGS))
AS_MODE = "as the mode says"  # a field's word for a setting that is left to the mode
_LARGEST = 10**9  # of any setting
_LEFT_TO_MODE = ("third_branch", *CHOICES)
_LISTS = ("layers", "unfiltered")
_WORDS_OR_NUMBERS = ("temperature", "shift")
_TEXTS = ("training_sizes", *_LISTS, *_WORDS_OR_NUMBERS, "grid_phases")
_YES_NO = {"yes": True, "no": False}
# What the fields of these settings offer.
OFFERED: dict[str, tuple[str, ...]] = {
    "mode": tuple(MODES),
    "size_rule": tuple(sizes.RULES),
    "rule": choices.POSITION_RULES,
    "axes": AXES,
    "grid_resampling": choices.RESAMPLINGS,
    "wrap": tuple(WRAPS),
    "border": choices.BORDERS,
    "third_branch": (AS_MODE, *_YES_NO),
    **{name: (AS_MODE, *known) for name, known in CHOICES.items()},
}


def usual_fields() -> dict[str, Any]:
    """A value for every field, of UNets and of transformers, before a model has its own."""
    return to_fields(PositionConfig(training_sizes=((1024, 1024),))) | to_fields(
        FouriScaleConfig.preset("sd15")
    )


def to_fields(config: Config) -> dict[str, Any]:
    """A config's values, a field each."""
    values = config.to_dict()  # without what is as usual of some
    fields: dict[str, Any] = {
        name: values.get(name, getattr(config, name)) for name in type(config).model_fields
    }
    fields["training_sizes"] = "\n".join(f"{width}x{height}" for height, width in config.training_sizes)
    if isinstance(config, PositionConfig):
        return fields | {name: str(fields[name]) for name in _WORDS_OR_NUMBERS}
    words = {None: AS_MODE, True: "yes", False: "no"}
    fields |= {name: words.get(fields[name], fields[name]) for name in _LEFT_TO_MODE}
    fields["grid_phases"] = ", ".join(f"{until}: {times}" for until, times in config.grid_phases or ())
    return fields | {name: "\n".join(fields[name]) for name in _LISTS}


def from_fields(values: Mapping[str, Any], denoiser: str = UNET) -> Config:
    """The config of edited fields.

    Args:
        denoiser: "unet" or "transformer"; the other one's fields are not looked at.

    Raises:
        ValueError, TypeError: a value is wrong; the sentence begins with the field's name.
    """
    names = TRANSFORMER_SETTINGS if denoiser == TRANSFORMER else UNET_SETTINGS
    for name in names:
        _check_kind(name, values[name])
    settings = {name: values[name] for name in names}
    try:
        settings["training_sizes"] = parse_sizes(values["training_sizes"])
    except ValueError as error:
        raise ValueError(f"training_sizes: {error}") from None
    if denoiser == TRANSFORMER:
        return PositionConfig(
            **settings | {name: _word_or_number(settings[name]) for name in _WORDS_OR_NUMBERS}
        )
    settings |= {name: None for name in _LEFT_TO_MODE if settings[name] == AS_MODE}
    settings["third_branch"] = _YES_NO.get(settings["third_branch"], settings["third_branch"])
    settings |= {name: _lines(settings[name]) for name in ("layers", "unfiltered")}
    settings["grid_phases"] = parse_phases(values["grid_phases"])
    return FouriScaleConfig.from_dict(settings)


def _word_or_number(text: str | None) -> str | float:
    try:
        return float(text or "")
    except ValueError:
        return (text or "").strip()


def _check_kind(name: str, value: Any) -> None:
    """Is a field's value of its kind, and of a size that can be worked with?"""
    kinds = str | bool | None if name in OFFERED else str | None
    if name in (*OFFERED, *_TEXTS) and not isinstance(value, kinds):
        raise ValueError(f"{name} is {shown(value)}: must be text")
    if isinstance(value, str) and len(value) > bounds.PROMPT_LETTERS:
        raise ValueError(f"{name} has {len(value):,} letters: must be at most {bounds.PROMPT_LETTERS:,}")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(f"{name}={shown(value)}: must be a number of at most {_LARGEST:,}")


def parse_sizes(text: Any) -> list[tuple[int, int]]:
    """[(height, width)] of sizes typed one a line.

    Raises:
        ValueError: a line is no size.
    """
    return [parse_size(line) for line in _lines(text)]


def parse_phases(text: Any) -> list[tuple[float, float]] | None:
    """[(fraction of the run until which, times the training size)] of phases typed as "0.5: 1, 0.8: 2", or one a line.

    Raises:
        ValueError: a part of it is no such pair.
    """
    parts = [part for line in _lines(text) for part in line.split(",") if part.strip()]
    try:
        pairs = [tuple(map(float, part.split(":", 1))) for part in parts]
    except ValueError:
        pairs = [()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"grid_phases is {shown(text)}: must be pairs such as 0.5: 1, 0.8: 2, the fraction of the run until which "
            "and how many times the training size"
        )
    return [(until, times) for until, times in pairs] or None


def _lines(text: Any) -> list[str]:
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]
