"""Settings, and the presets that come with the package."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from picturelab.files import configs_folder

from .maths import sizes
from .maths.layers import derive_layers, has_mid_block
from .maths.schedule import Schedule, paper_span, to_step

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

# What a mode says of the settings that are left at None. "paper" is the published method, "fast" what saves time
# without a loss that the study could tell: docs/speed-and-quality.md.
MODES: dict[str, dict[str, Any]] = {
    "paper": dict(third_branch=True, attention="full", late_attention="full", convolution="dilated"),
    "fast": dict(
        third_branch=False,
        attention="downsampled keys",
        late_attention="downsampled keys",
        convolution="decimated",
    ),
}
_ATTENTION = ("full", "polyphase", "downsampled keys")
CHOICES = {  # what may be left to the mode, at None
    "attention": _ATTENTION,
    "late_attention": _ATTENTION,
    "convolution": ("dilated", "decimated"),
}

_NOTES = ("description", "checked_with")  # what a preset file says beside the settings


@dataclass(frozen=True)
class FouriScaleConfig:
    """How a UNet is sampled beyond its training size. Checks itself; see `preset` for ready ones.

    Attributes:
        training_sizes: (height, width) in pixels, one or many.
        layers: fnmatch patterns on the UNet's module names; every Conv2d with a kernel larger than 1
            at or below a match is dilated and filtered.
        unfiltered: patterns of those that are dilated only.
        start: fraction of the run, in [0, 1], at which the dilation begins to fall; None takes the paper's.
        stop: fraction of the run, in [0, 1], from which the UNet is its plain self, but for `late_attention`;
            None takes the paper's.
        anneal: whether the dilation falls linearly from `start` to `stop`.
        floor: what the filter leaves of the frequencies it stops, in [0, 1).
        weak_dilation_divisor: the guidance branch's dilation is the dilation over this, at least 1.
        mode: "paper" for the published method, or "fast"; it decides what is left at None of the next four.
        third_branch: whether the conditional estimate comes from a third branch with the weak filter,
            whose self-attention takes query and key of the second.
        attention: self-attention while the convolutions are dilated: "full"; "polyphase", each of dilation x
            dilation interleaved grids within itself; or "downsampled keys", all tokens to as many as in
            training, evenly spaced.
        late_attention: the same for the steps from `stop` on; polyphase grids are then as many as at the start.
        convolution: how a filtered convolution is computed: "dilated", or "decimated", at the training
            size with an ideal filter; the guidance branch's is always dilated.
        split_rows: call the UNet for unconditional and conditional rows one after the other while
            FouriScale is active, in less memory.
        early_guidance: factor on the guidance scale until `start`; above 1 it counters blur.
        size_rule: how a target's training size is chosen, "published" (least padding with an equal factor
            on both axes) or "nearest" (nearest aspect ratio, a tenth of overflow allowed).

    The paper's fractions are 10/50 and 30/50 up to 6.25 times the training area, 20/50 and 35/50 beyond.

    Raises:
        ValueError: a value is out of range, or `start` is not before `stop`.
        TypeError: a value has the wrong type.

    Source: Huang et al., "FouriScale", ECCV 2024, arXiv 2403.12963, and the authors' code.
    """

    training_sizes: tuple[tuple[int, int], ...]
    layers: tuple[str, ...]
    unfiltered: tuple[str, ...] = ("*upsamplers*",)
    start: float | None = None
    stop: float | None = None
    anneal: bool = True
    floor: float = 0.0
    weak_dilation_divisor: float = 1.0
    mode: str = "paper"
    third_branch: bool | None = None
    attention: str | None = None
    late_attention: str | None = None
    convolution: str | None = None
    split_rows: bool = False
    early_guidance: float = 1.0
    size_rule: str = "published"

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the instance is frozen; this is where it is made canonical
        set_field(self, "training_sizes", _sizes(self.training_sizes))
        for name in ("layers", "unfiltered"):
            set_field(self, name, _patterns(name, getattr(self, name)))
        for name in ("anneal", "third_branch", "split_rows"):
            left_out = name == "third_branch" and self.third_branch is None
            if not (isinstance(getattr(self, name), bool) or left_out):
                raise TypeError(f"{name}={getattr(self, name)!r}: must be true or false")
        for name, known in {"mode": tuple(MODES), "size_rule": tuple(sizes.RULES), **CHOICES}.items():
            if getattr(self, name) not in known and not (name in CHOICES and getattr(self, name) is None):
                raise ValueError(f"{name}={getattr(self, name)!r}: must be one of {', '.join(known)}")
        for name, low, high in (("start", 0, 1), ("stop", 0, 1)):
            if getattr(self, name) is not None:
                set_field(self, name, _number(name, getattr(self, name), low, high))
        set_field(self, "floor", _number("floor", self.floor, 0, 0.999))
        set_field(
            self, "weak_dilation_divisor", _number("weak_dilation_divisor", self.weak_dilation_divisor, 1)
        )
        set_field(self, "early_guidance", _number("early_guidance", self.early_guidance, 1e-3))
        if not self.layers:
            raise ValueError("layers=(): name at least one pattern, such as 'mid_block.resnets.*'")
        for area_ratio in (1, math.inf):  # None stands for either of the paper's pairs
            start, stop = self.span(area_ratio)
            if start >= stop:
                raise ValueError(
                    f"start={start:g}, stop={stop:g}: start must lie before stop (None takes the paper's)"
                )

    def chosen(self, name: str) -> Any:
        """The value of `third_branch`, `attention`, `late_attention` or `convolution`: one's own, or the mode's."""
        own = getattr(self, name)
        return MODES[self.mode][name] if own is None else own

    def span(self, area_ratio: float) -> tuple[float, float]:
        """Start and stop as fractions of the run, for a target of `area_ratio` times the training area."""
        start, stop = paper_span(area_ratio)
        return start if self.start is None else self.start, stop if self.stop is None else self.stop

    def fit(self, height: int, width: int) -> sizes.Fit:
        """The training size and dilation for a target of `height` x `width` pixels."""
        return sizes.fit(height, width, self.training_sizes, self.size_rule)

    def schedule(self, height: int, width: int, steps: int) -> Schedule:
        """The dilation over a run of `steps` steps at `height` x `width` pixels."""
        chosen = self.fit(height, width)
        start, stop = self.span(height * width / math.prod(chosen.training_size))
        return Schedule(chosen.dilation, to_step(start, steps), to_step(stop, steps), self.anneal)

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
        plain = dataclasses.asdict(self)
        return {k: _as_lists(v) for k, v in plain.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FouriScaleConfig:
        """Settings from plain values.

        Raises:
            ValueError: a key is unknown or missing, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(map(str, values.keys() - set(known)))
        if unknown:
            raise ValueError(
                f"unknown setting {', '.join(map(repr, unknown))}; settings are {', '.join(known)}"
            )
        missing = [name for name in ("training_sizes", "layers") if name not in values]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be given")
        return cls(**values)

    @classmethod
    def load(cls, path: str | Path) -> FouriScaleConfig:
        """Settings from a YAML file, which may also hold `description` and `checked_with`.

        Raises:
            ValueError: the file cannot be read, is no mapping, or holds a wrong key or value.
            TypeError: a value has the wrong type.
        """
        values = _read_yaml(Path(path))
        try:
            return cls.from_dict({k: v for k, v in values.items() if k not in _NOTES})
        except (ValueError, TypeError) as error:
            raise type(error)(f"{path}: {error}") from None

    @classmethod
    def preset(cls, name: str, **changes: Any) -> FouriScaleConfig:
        """A preset, with some settings changed: `preset("sd15", stop=0.7)`.

        Raises:
            ValueError: no preset has this name, a setting is unknown, or a value is out of range.
            TypeError: a value has the wrong type.
        """
        return cls.load(_preset_file(name)).replace(**changes)

    @classmethod
    def named(cls, name: str, **changes: Any) -> FouriScaleConfig:
        """What people type: a preset's name or a YAML file, with some settings changed.

        Raises:
            ValueError, TypeError: see `preset` and `load`.
        """
        if Path(name).suffix in (".yaml", ".yml"):
            return cls.load(name).replace(**changes)
        return cls.preset(name, **changes)


def preset_names() -> list[str]:
    """The names that `FouriScaleConfig.preset` takes, sorted."""
    return sorted(file.stem for file in _presets_folder().glob("*.yaml"))


def preset_notes(name: str) -> dict[str, str]:
    """A preset's `description` and the result it was checked with, `checked_with`.

    Raises:
        ValueError: no preset has this name.
    """
    values = _read_yaml(_preset_file(name))
    return {key: " ".join(str(values[key]).split()) for key in _NOTES}


# Blocks that each preset's layer list was written for.
_LEVELS = {"sd15": 4, "sd21": 4, "sd21-768": 4, "sdxl": 3, "shapeworld": 3}
_SD = (320, 640, 1280, 1280)
_SDXL = ((320, 640, 1280), (384, 768, 1536, 1536))  # base and those pruned from it, refiner


def recognise_preset(unet: UNet2DConditionModel | Mapping[str, Any]) -> str:
    """The name of the preset made for this UNet's family, from its config alone.

    Raises:
        ValueError: no preset fits; the sentence lists them.
    """
    config = unet if isinstance(unet, Mapping) else unet.config
    channels, text = tuple(config["block_out_channels"]), config["cross_attention_dim"]
    pruned_sd = len(channels) >= 3 and channels == _SD[: len(channels)]
    if config.get("addition_embed_type") == "text_time":
        if channels in _SDXL and text in (2048, 1280):
            return "sdxl"
    elif pruned_sd and text == 768:
        return "sd15"
    elif pruned_sd and text == 1024:
        return "sd21-768" if config["sample_size"] == 96 else "sd21"
    elif channels == (32, 64, 160) and text == 128:
        return "shapeworld"
    raise ValueError(
        f"no preset fits a UNet with block_out_channels={channels} and cross_attention_dim={text}; "
        f"give a FouriScaleConfig, for instance from one of the presets {', '.join(preset_names())}"
    )


def config_for(unet: UNet2DConditionModel | Mapping[str, Any]) -> FouriScaleConfig:
    """The settings for this UNet: its family's preset, with layers of its own where its blocks differ.

    Distilled and pruned models (SSD-1B, Segmind Vega, BK-SDM, tiny-sd) and SDXL's refiner are recognised.

    Raises:
        ValueError: no preset fits; the sentence lists them.
    """
    name = recognise_preset(unet)
    config = unet if isinstance(unet, Mapping) else unet.config
    if len(config["down_block_types"]) == _LEVELS[name] and has_mid_block(config):
        return FouriScaleConfig.preset(name)
    return FouriScaleConfig.preset(name, layers=derive_layers(config))


def size_conditioning(config: FouriScaleConfig, height: int, width: int) -> dict[str, tuple[int, int]]:
    """SDXL's `original_size` and `target_size` for `pipe(**...)`, as (height, width) in pixels.

    The authors' code tells the model the training size that the target is a multiple of, since it knows
    no larger ones. Within the training size it is the size itself, SDXL's own default.
    """
    chosen = config.fit(height, width)
    size = chosen.training_size if chosen.dilation > 1 else (height, width)
    return {"original_size": size, "target_size": size}


def _presets_folder() -> Path:
    return configs_folder() / "presets"


def _preset_file(name: str) -> Path:
    if name not in preset_names():
        raise ValueError(f"unknown preset {name!r}; presets are {', '.join(preset_names())}")
    return _presets_folder() / f"{name}.yaml"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ValueError(f"{path}: cannot be read as YAML ({reason})") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: must hold settings as 'name: value' lines")
    return values


def _sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """One (height, width) or many, as a tuple of pairs."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(listed) == 2 and all(isinstance(side, int) for side in listed):
        listed = [listed]
    for size in listed:
        pair = isinstance(size, (list, tuple)) and len(size) == 2
        if not pair or not all(isinstance(side, int) and side > 0 for side in size):
            raise ValueError(
                f"training_sizes={value!r}: must be (height, width) in pixels, or several of them"
            )
    if not listed:
        raise ValueError("training_sizes=(): give at least one (height, width) in pixels")
    return tuple((size[0], size[1]) for size in listed)


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
        raise TypeError(f"{name}={value!r}: must be a list of patterns such as 'mid_block.resnets.*'")
    return tuple(value)


def _number(name: str, value: Any, low: float, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name}={value!r}: must be a number")
    if not low <= value <= high or not math.isfinite(value):
        accepted = f"at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise ValueError(f"{name}={value!r}: must be {accepted}")
    return float(value)


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value
