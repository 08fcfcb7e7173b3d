"""FouriScale's settings as people edit them: one field each, lists one entry a line, sizes as WIDTHxHEIGHT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fouriscale import FouriScaleConfig
from fouriscale.config import CHOICES, MODES
from fouriscale.maths.sizes import RESAMPLINGS, RULES
from picturelab import bounds
from picturelab.bounds import shown
from picturelab.notation import parse_size

SETTINGS = tuple(FouriScaleConfig.model_fields)
AS_MODE = "as the mode says"  # a field's word for a setting that is left to the mode
_LARGEST = 10**9  # of any setting
_LEFT_TO_MODE = ("third_branch", *CHOICES)
_LISTS = ("training_sizes", "layers", "unfiltered")
_TEXTS = (*_LISTS, "grid_phases")
_YES_NO = {"yes": True, "no": False}
# What the fields of these settings offer.
OFFERED: dict[str, tuple[str, ...]] = {
    "mode": tuple(MODES),
    "size_rule": tuple(RULES),
    "grid_resampling": RESAMPLINGS,
    "third_branch": (AS_MODE, *_YES_NO),
    **{name: (AS_MODE, *known) for name, known in CHOICES.items()},
}


def to_fields(config: FouriScaleConfig) -> dict[str, Any]:
    """A config's values, a field each."""
    fields = config.to_dict()
    words = {None: AS_MODE, True: "yes", False: "no"}
    fields |= {name: words.get(fields[name], fields[name]) for name in _LEFT_TO_MODE}
    fields["training_sizes"] = [f"{width}x{height}" for height, width in config.training_sizes]
    fields["grid_phases"] = ", ".join(f"{until}: {times}" for until, times in config.grid_phases or ())
    return fields | {name: "\n".join(fields[name]) for name in _LISTS}


def from_fields(values: Mapping[str, Any]) -> FouriScaleConfig:
    """The config of edited fields.

    Raises:
        ValueError, TypeError: a value is wrong; the sentence begins with the field's name.
    """
    for name in SETTINGS:
        _check_kind(name, values[name])
    settings = {name: values[name] for name in SETTINGS}
    settings |= {name: None for name in _LEFT_TO_MODE if settings[name] == AS_MODE}
    settings["third_branch"] = _YES_NO.get(settings["third_branch"], settings["third_branch"])
    settings |= {name: _lines(settings[name]) for name in ("layers", "unfiltered")}
    settings["grid_phases"] = parse_phases(values["grid_phases"])
    try:
        settings["training_sizes"] = parse_sizes(values["training_sizes"])
    except ValueError as error:
        raise ValueError(f"training_sizes: {error}") from None
    return FouriScaleConfig.from_dict(settings)


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
