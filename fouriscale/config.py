"""FouriScale's settings, which check themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import model_validator

from picturelab.bounds import shown
from picturelab.settings import shortened

from . import config_values, presets
from .maths import choices, sizes
from .maths.schedule import GridSchedule, Schedule, paper_span, to_step
from .maths.wrap import WRAPS
from .position_config import PositionConfig
from .preset_settings import PresetSettings

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
# Left out of plain values where they are as usual, so that what is kept by the hash of those is found again.
_LATER = ("wrap", "border")


class FouriScaleConfig(PresetSettings):
    """How a UNet is sampled beyond its training size. Checks itself; see `preset` for ready ones.

    The paper's fractions are 10/50 and 30/50 up to 6.25 times the training area, 20/50 and 35/50 beyond. The branch
    that `third_branch` switches is the guidance branch everywhere else.

    Raises:
        ValueError: a value is out of range, or `start` is not before `stop`.
        TypeError: a value has the wrong type, or a name is no setting.

    Source: Huang et al., "FouriScale", ECCV 2024, arXiv 2403.12963, and the authors' code.
    """

    DENOISER: ClassVar[str] = presets.UNET

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

    wrap: str = "none"
    """on which axis the picture's opposite edges are neighbours, for tiles and panoramas: "none", "width",
    "height" or "both"; at every size and step."""

    border: str = "zeros"
    """what dilated convolutions see beyond a border that does not wrap: "zeros", as in training; or "partial"
    convolution, "reflect" or "replicate", which are experimental and do harm."""

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
        one_of = {
            "mode": MODES,
            "size_rule": sizes.RULES,
            "grid_resampling": choices.RESAMPLINGS,
            **CHOICES,
            "wrap": WRAPS,
            "border": choices.BORDERS,
        }
        for name, known in one_of.items():
            left_out = name in CHOICES and values[name] is None
            if not left_out and not (isinstance(values[name], str) and values[name] in known):
                raise ValueError(f"{name}={shown(values[name])}: must be one of {', '.join(known)}")
        config_values.check_wrap(values)
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

    def resolved(self) -> Self:
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

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, ready for JSON or YAML; without `wrap` and `border` where they are as usual."""
        usual = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in super().to_dict().items() if name not in usual}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Settings from plain values, such as a recipe's.

        Those written before there was a grid know no other fast mode than "layerwise".

        Raises:
            ValueError: a key is unknown or missing, a value is out of range, or they are for another kind of denoiser.
            TypeError: a value has the wrong type.
        """
        if values.get("mode") == "fast" and not any(str(name).startswith("grid") for name in values):
            values = {**values, "mode": "layerwise"}
        return super().from_dict(values)

    @classmethod
    def _unknown(cls, values: Mapping[str, Any]) -> str:
        known = ", ".join(cls.model_fields)
        for name in values.keys() & set(PositionConfig.model_fields):
            return (
                f"{name}={shown(values[name])}: is a setting of transformers, which their files say by "
                f"`{presets.DENOISER_KEY}: {presets.TRANSFORMER}`; those of a UNet are {known}"
            )
        return f"unknown setting {shortened(', '.join(map(repr, values)), 80)}; settings are {known}"


def _span(start: float | None, stop: float | None, area_ratio: float) -> tuple[float, float]:
    paper_start, paper_stop = paper_span(area_ratio)
    return paper_start if start is None else start, paper_stop if stop is None else stop
