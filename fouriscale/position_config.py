"""Settings for transformers with rotary positions, which check themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from picturelab.bounds import shown

from . import config_values, presets
from .maths import sizes
from .maths.choices import POSITION_RULES, TEMPERATURES
from .maths.wrap import WRAPS
from .preset_settings import PresetSettings

AXES = ("one", "each")
SHIFTS = ("training", "pipeline")
# Left out of plain values where it is as usual, so that what is kept by the hash of those is found again.
_LATER = ("wrap",)


class PositionConfig(PresetSettings):
    """How a transformer is sampled beyond its training size: by its positions, and by its schedule. Checks itself.

    Raises:
        ValueError: a value is out of range.
        TypeError: a value has the wrong type, or a name is no setting.
    """

    DENOISER: ClassVar[str] = presets.TRANSFORMER

    rule: str = "interpolate"
    """what becomes of the positions' frequencies: "interpolate" slows all alike, "ntk" the slow ones, "yarn" by
    parts."""

    dynamic: bool = False
    """whether the rule follows the noise, strongest at first and gone at the end."""

    axes: str = "one"
    """"one" scale for height and width, the larger of the two, so that nothing is squeezed; or "each" its own."""

    temperature: str | float = "yarn"
    """what cos and sin of the image's positions are multiplied by, for attention over more tokens is flatter: "none",
    "yarn" (1 + 0.1 ln of the scale), "proportional" (by the logarithms of the numbers of tokens), or a number."""

    shift: str | float = "training"
    """the schedule's shift (mu) where the pipeline raises it with the number of tokens: at most that of the
    "training" size, the "pipeline"'s own, or at most a number."""

    wrap: str = "none"
    """on which axes opposite edges of the picture are neighbours, at every size and in every step: "width", "height" or
    "both"; tokens there are turned by whole turns around the picture."""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Everything in one place and in this order, so that the first fault named is always the same."""
        values = {name: field.default for name, field in cls.model_fields.items()} | values
        values["training_sizes"] = config_values.sizes(values["training_sizes"])
        for name, known in (("rule", POSITION_RULES), ("axes", AXES), ("wrap", WRAPS)):
            if not (isinstance(values[name], str) and values[name] in known):
                raise ValueError(f"{name}={shown(values[name])}: must be one of {', '.join(known)}")
        if not isinstance(values["dynamic"], bool):
            raise TypeError(f"dynamic={shown(values['dynamic'])}: must be true or false")
        for name, known, low, high in (("temperature", TEMPERATURES, 0.5, 2), ("shift", SHIFTS, -10, 20)):
            if isinstance(values[name], str):
                if values[name] not in known:
                    raise ValueError(
                        f"{name}={shown(values[name])}: must be one of {', '.join(known)} or a number"
                    )
            else:
                values[name] = config_values.number(name, values[name], low, high)
        return values

    def training_size(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in pixels, of the nearest aspect ratio to a target's."""
        return sizes.nearest(height, width, self.training_sizes)

    def scales(self, height: int, width: int) -> tuple[float, float]:
        """How many times as long as in training the axes (height, width) of a target in pixels are, 1 or more.

        Up to a tenth beyond the training size counts as 1.
        """
        best = self.training_size(height, width)
        by_axis = height / best[0], width / best[1]
        if max(by_axis) <= sizes.TOLERANCE:
            return 1.0, 1.0
        if self.axes == "one":
            return max(by_axis), max(by_axis)
        return max(by_axis[0], 1.0), max(by_axis[1], 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain values, ready for JSON or YAML, which say that they are for a transformer.

        Without `wrap` where pictures do not.
        """
        usual = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        values = {name: value for name, value in super().to_dict().items() if name not in usual}
        return {presets.DENOISER_KEY: self.DENOISER} | values

    @classmethod
    def _unknown(cls, values: Mapping[str, Any]) -> str:
        name, value = next(iter(values.items()))
        return (
            f"{name}={shown(value)}: is no setting of a transformer, which has no convolutions to dilate; its settings "
            f"are {', '.join(cls.model_fields)}"
        )
