"""What another program's picture says of how it was made, in our words, and what it does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..bounds import BOUNDS, check_prompt, shown
from ..failures import printable
from ..settings import shortened
from .samplers import SCHEDULERS, USUAL_SCHEDULES

# What a picture can be made from, as recipes and `fouriscale generate` call it, and as people do.
WANTED = {
    "prompt": "the prompt",
    "seed": "the seed",
    "steps": "the steps",
    "guidance": "the guidance scale",
    "scheduler": "the sampler",
    "height": "the size",
    "model": "the model",
}
_MOST_OTHERS, _LONGEST_OTHER = 100, 1000  # entries, and letters of each


@dataclass
class ForeignSettings:
    """What a picture of another program says.

    Attributes:
        program: what wrote it.
        settings: by the names that recipes have for them; only values that we would take.
        others: what it says besides, in its own words.
        remarks: what cannot be known, and what was not taken, as sentences.
    """

    program: str
    settings: dict[str, Any] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def take_number(self, name: str, value: Any) -> None:
        """A number, if it lies within its bound; a remark says so if it does not. Text is read as a number."""
        limit = BOUNDS[name]
        number = _number(value, limit.whole)
        if limit.holds(number):
            self.settings[name] = number
        elif value is not None:
            self.remark(f"{name}={shown(value)} was not taken: it must be {limit.words}")

    def take_prompt(self, name: str, value: Any) -> None:
        """A prompt, if it is text that is short enough."""
        try:
            self.settings[name] = check_prompt(name, value)
        except ValueError as error:
            self.remark(f"{error}; it was not taken")

    def take_sampler(self, name: Any, schedule: Any) -> None:
        """The scheduler that does what a sampler does, and a remark where there is none here."""
        if not isinstance(name, str):
            return
        known = SCHEDULERS.get(name.casefold())
        if known is not None:
            self.settings["scheduler"] = known
        else:
            self.remark(f"the sampler {shown(name)} has no scheduler of diffusers that does the same")
        if isinstance(schedule, str) and schedule.casefold() not in USUAL_SCHEDULES:
            self.remark(
                f"its noise levels are {shown(schedule)}: here a scheduler keeps the model's own, so the picture will "
                "be another one"
            )

    def add_other(self, name: str, value: Any) -> None:
        """Something that has no place in a recipe."""
        if len(self.others) < _MOST_OTHERS:
            text = value if isinstance(value, str) else shown(value)
            self.others[printable(shortened(name, 80))] = shortened(text, _LONGEST_OTHER)

    def remark(self, sentence: str) -> None:
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def close(self) -> ForeignSettings:
        """The same, with a remark that says what is missing."""
        missing = [words for name, words in WANTED.items() if name not in self.settings]
        if missing:
            self.remark(f"it does not say, or not in a way that is known here: {', '.join(missing)}")
        if "model" in self.settings:
            self.remark("a model's file is known by its name only: whether it is the same one cannot be seen")
        return self

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        values: dict[str, Any] = {"program": self.program, "settings": self.settings}
        return values | {"others": self.others, "remarks": self.remarks}


def _number(value: Any, whole: bool) -> Any:
    if isinstance(value, str) and len(value) <= 40:
        try:
            value = int(value) if whole else float(value)
        except ValueError:
            return None
    if isinstance(value, float) and whole and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def size_from(values: Mapping[str, Any], settings: ForeignSettings) -> None:
    """Take a height and a width together, or neither: half a size is none."""
    for name in ("height", "width"):
        settings.take_number(name, values.get(name))
    if ("height" in settings.settings) != ("width" in settings.settings):
        settings.settings.pop("height", None)
        settings.settings.pop("width", None)
