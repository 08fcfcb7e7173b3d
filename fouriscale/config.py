"""FouriScale's settings, which check themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import model_validator

from picturelab.bounds import shown
from picturelab.settings import Settings, shortened

from . import config_values, presets
from .maths import sizes
from .maths.schedule import GridSchedule, Schedule, paper_span, to_step

# What a mode says of the settings that are left at None. "paper" is the published method, "fast" what is
# quicker and more often right by the study, docs/speed-and-quality.md; "layerwise" is what was called "fast" until
# there was a deep grid.
_SPARSE: dict[str, Any] = dict(
    third_branch=False, attention="downsampled keys", late_attention="downsampled keys"
)
MODES: dict[str, dict[str, Any]] = {
    "paper": dict(
        third_branch=True, attention="full", late_attention="full", convolution="dilated", grid="full"
    ),
    "fast": _SPARSE | dict(convolution="decimated", grid="deep"),
    "layerwise": _SPARSE | dict(convolution="decimated", grid="full"),
}
_ATTENTION = ("full", "polyphase", "downsampled keys")
CHOICES = {  # what may be left to the mode, at None
    "attention": _ATTENTION,
    "late_attention": _ATTENTION,
    "convolution": ("dilated", "decimated"),
    "grid": ("full", "deep"),
}
_GRID_PHASES = ((0.8, 1.0),)  # the study's choice


class FouriScaleConfig(Settings):
    """How a UNet is sampled beyond its training size. Checks itself; see `preset` for ready ones.

    The paper's fractions are 10/50 and 30/50 up to 6.25 times the training area, 20/50 and 35/50 beyond. The branch
    that `third_branch` switches is the guidance branch everywhere else.

    Raises:
        ValueError: a value is out of range, or `start` is not before `stop`.
        TypeError: a value has the wrong type, or a name is no setting.

    Source: Huang et al., "FouriScale", ECCV 2024, arXiv 2403.12963, and the authors' code.
    """

    training_sizes: tuple[tuple[int, int], ...]
    """(height, width) in pixels, one or many."""

    layers: tuple[str, ...]
    """fnmatch patterns on the UNet's module names; every Conv2d with a kernel larger than 1
    at or below a match is dilated and filtered; of the deep grid they say only where it begins."""

    unfiltered: tuple[str, ...] = ("*upsamplers*",)
    """patterns of those that are dilated only."""

    start: float | None = None
    """fraction of the run, in [0, 1], at which the dilation begins to fall, and at which `early_guidance`
    ends; None takes the paper's."""

    stop: float | None = None
    """fraction of the run, in [0, 1], from which the UNet is its plain self, but for `late_attention`;
    None takes the paper's. The deep grid has `grid_phases` instead."""

    anneal: bool = True
    """whether the dilation falls linearly from `start` to `stop`."""

    floor: float = 0.0
    """what the filter leaves of the frequencies it stops, in [0, 1)."""

    weak_dilation_divisor: float = 1.0
    """the guidance branch's dilation is the dilation over this, at least 1."""

    mode: str = "paper"
    """"paper" for the published method, "fast" for the deep grid, or "layerwise" for what fast mode was
    before; it decides what is left at None of the next four and of `grid`."""

    third_branch: bool | None = None
    """whether the conditional estimate comes from a third branch with the weak filter,
    whose self-attention takes query and key of the second."""

    attention: str | None = None
    """self-attention while the convolutions are dilated: "full"; "polyphase", each of dilation x
    dilation interleaved grids within itself; or "downsampled keys", all tokens to as many as in
    training, evenly spaced."""

    late_attention: str | None = None
    """the same for the steps from `stop` on; polyphase grids are then as many as at the start."""

    convolution: str | None = None
    """how a filtered convolution is computed: "dilated", or "decimated", at the training
    size with an ideal filter; the guidance branch's is always dilated."""

    split_rows: bool = False
    """call the UNet for unconditional and conditional rows one after the other while
    FouriScale is active, in less memory."""

    early_guidance: float = 1.0
    """factor on the guidance scale until `start`, while FouriScale is active; above 1 it counters blur."""

    size_rule: str = "published"
    """how a target's training size is chosen, "published" (least padding with an equal factor
    on both axes) or "nearest" (nearest aspect ratio, a tenth of overflow allowed); the deep grid takes the
    nearest aspect ratio and the area."""

    grid: str | None = None
    """"full", or "deep": for the first part of the run all blocks from `grid_level` downward see about as many
    pixels as in training, in the picture's own shape, and no convolution is dilated or filtered."""

    grid_phases: tuple[tuple[float, float], ...] | None = None
    """(fraction of the run until which, times the training size on each axis) of each part of the run on the
    deep grid, both rising; None takes the study's, until 0.8 at the training size."""

    grid_level: int | None = None
    """how many downsamplings below the sample the deep grid begins, at least 1; None takes that of the first
    of `layers` among the down blocks, or the deepest where none of them is one."""

    grid_resampling: str = "cosines"
    """how maps get onto the deep grid and off it: by the "cosines" that both sizes have, by torch's "nearest" or
    "bicubic", or "area" there and bicubic back."""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Everything in one place and in this order, so that the first fault named is always the same."""
        values = {name: field.default for name, field in cls.model_fields.items()} | values
        values["training_sizes"] = config_values.sizes(values["training_sizes"])
        for name in ("layers", "unfiltered"):
            values[name] = config_values.patterns(name, values[name])
        for name in ("anneal", "third_branch", "split_rows"):
            left_out = name == "third_branch" and values[name] is None
            if not (isinstance(values[name], bool) or left_out):
                raise TypeError(f"{name}={shown(values[name])}: must be true or false")
        values["grid_phases"] = config_values.phases(values["grid_phases"])
        values["grid_level"] = config_values.level(values["grid_level"])
        one_of = {"mode": MODES, "size_rule": sizes.RULES, "grid_resampling": sizes.RESAMPLINGS, **CHOICES}
        for name, known in one_of.items():
            left_out = name in CHOICES and values[name] is None
            if not left_out and not (isinstance(values[name], str) and values[name] in known):
                raise ValueError(f"{name}={shown(values[name])}: must be one of {', '.join(known)}")
        for name in ("start", "stop"):
            if values[name] is not None:
                values[name] = config_values.number(name, values[name], 0, 1)
        for name, low, high in (
            ("floor", 0, 0.999),
            ("weak_dilation_divisor", 1, 1000),
            ("early_guidance", 1e-3, 1000),
        ):
            values[name] = config_values.number(name, values[name], low, high)
        if not values["layers"]:
            raise ValueError("layers=(): name at least one pattern, such as 'mid_block.resnets.*'")
        for area_ratio in (1, math.inf):  # None stands for either of the paper's pairs
            start, stop = _span(values["start"], values["stop"], area_ratio)
            if start >= stop:
                raise ValueError(
                    f"start={start:g}, stop={stop:g}: start must lie before stop (None takes the paper's)"
                )
        return values

    def chosen(self, name: str) -> Any:
        """The value of a setting that may be left to the mode: one's own, or the mode's."""
        own = getattr(self, name)
        return MODES[self.mode][name] if own is None else own

    @property
    def deep(self) -> bool:
        """Whether it is the deep grid that makes the UNet see what it saw in training, and not dilation."""
        return bool(self.chosen("grid") == "deep")

    def resolved(self) -> FouriScaleConfig:
        """The same settings with nothing left to the mode, so that they mean the same when a mode changes."""
        left = {name: self.chosen(name) for name in MODES[self.mode]}
        return self.replace(**left, grid_phases=self.grid_phases or _GRID_PHASES)

    def span(self, area_ratio: float) -> tuple[float, float]:
        """Start and stop as fractions of the run, for a target of `area_ratio` times the training area."""
        return _span(self.start, self.stop, area_ratio)

    def fit(self, height: int, width: int) -> sizes.Fit:
        """The training size and dilation for a target of `height` x `width` pixels."""
        if self.deep:
            return sizes.fit_area(height, width, self.training_sizes)
        return sizes.fit(height, width, self.training_sizes, self.size_rule)

    def schedule(self, height: int, width: int, steps: int) -> Schedule | GridSchedule:
        """The dilation over a run of `steps` steps at `height` x `width` pixels."""
        fit = self.fit(height, width)
        start, stop = self.span(height * width / math.prod(fit.training_size))
        if self.deep:
            phases = tuple(
                (to_step(until, steps), times) for until, times in self.grid_phases or _GRID_PHASES
            )
            return GridSchedule(fit.dilation, to_step(start, steps), phases)
        return Schedule(math.ceil(fit.dilation), to_step(start, steps), to_step(stop, steps), self.anneal)

    def scaled_size(self, scale: float) -> tuple[int, int]:
        """(height, width): the training size nearest to a square times `scale`, to the next multiple of 8."""
        height, width = min(self.training_sizes, key=lambda size: abs(math.log(size[0] / size[1])))
        return 8 * round(height * scale / 8), 8 * round(width * scale / 8)

    def replace(self, **changes: Any) -> FouriScaleConfig:
        """A copy with some settings changed.

        Raises:
            ValueError: a name is no setting, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        return self.from_dict(self.to_dict() | changes)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, ready for JSON or YAML."""
        return {name: _as_lists(getattr(self, name)) for name in type(self).model_fields}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FouriScaleConfig:
        """Settings from plain values, such as a recipe's.

        Those written before there was a grid know no other fast mode than "layerwise".

        Raises:
            ValueError: a key is unknown or missing, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        if values.get("mode") == "fast" and not any(str(name).startswith("grid") for name in values):
            values = {**values, "mode": "layerwise"}
        known = list(cls.model_fields)
        unknown = sorted(map(str, values.keys() - set(known)))
        if unknown:
            raise ValueError(
                f"unknown setting {shortened(', '.join(map(repr, unknown)), 80)}; settings are {', '.join(known)}"
            )
        missing = [name for name in REQUIRED if name not in values]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be given")
        return cls(**values)

    @classmethod
    def load(cls, path: str | Path) -> FouriScaleConfig:
        """Settings from a YAML file, which may also hold `description`, `checked_with`, `example` and `recognise`.

        Raises:
            ValueError: the file cannot be read, is no mapping, or holds a wrong key or value.
            TypeError: a value has the wrong type.
        """
        values = presets.read_yaml(Path(path))
        try:
            return cls.from_dict({k: v for k, v in values.items() if k not in presets.BESIDE_SETTINGS})
        except (ValueError, TypeError) as error:
            raise type(error)(f"{path}: {error}") from None

    @classmethod
    def preset(cls, name: str, **changes: Any) -> FouriScaleConfig:
        """A preset, with some settings changed: `preset("sd15", stop=0.7)`.

        Raises:
            ValueError: no preset has this name, a setting is unknown, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        return cls.load(presets.preset_file(name)).replace(**changes)

    @classmethod
    def named(cls, name: str, **changes: Any) -> FouriScaleConfig:
        """What people type: a preset's name or a YAML file, with some settings changed.

        Raises:
            ValueError, TypeError: see `preset` and `load`.
        """
        if Path(name).suffix in (".yaml", ".yml"):
            return cls.load(name).replace(**changes)
        return cls.preset(name, **changes)


REQUIRED = tuple(name for name, field in FouriScaleConfig.model_fields.items() if field.is_required())


def setting_docs() -> dict[str, str]:
    """{setting: what it does, a sentence}, in the order of `FouriScaleConfig`'s fields."""
    return {
        name: " ".join((field.description or "").split())
        for name, field in FouriScaleConfig.model_fields.items()
    }


def _span(start: float | None, stop: float | None, area_ratio: float) -> tuple[float, float]:
    paper_start, paper_stop = paper_span(area_ratio)
    return paper_start if start is None else start, paper_stop if stop is None else stop


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value
