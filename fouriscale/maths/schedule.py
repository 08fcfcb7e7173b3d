"""Dilation over the run. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .sizes import TOLERANCE

# The published code's steps of 50: sizes up to 6.25 times the training area, and beyond.
_PAPER_SPAN = (10 / 50, 30 / 50)
_PAPER_SPAN_LARGE = (20 / 50, 35 / 50)
_PAPER_LARGE = 6.25


def paper_span(area_ratio: float) -> tuple[float, float]:
    """Start and stop, as fractions of the run, for a target of `area_ratio` times the training area."""
    return _PAPER_SPAN_LARGE if area_ratio > _PAPER_LARGE else _PAPER_SPAN


@dataclass(frozen=True)
class Schedule:
    """The dilation of every step of a run: full until `start`, falling linearly until `stop`, 1 after it.

    Attributes:
        dilation: the full dilation, at least 1.
        start: first step of the fall.
        stop: first step at which the model is its plain self again.
        anneal: False keeps the full dilation until `stop`.
    """

    dilation: int
    start: int
    stop: int
    anneal: bool = True

    def at(self, step: int) -> float:
        """The dilation d_i of step i, before rounding up; exactly 1.0 from `stop` on.

        `d_i = max((d - 1) (stop - i) / (stop - start) + 1, 1)` for `i >= start`
        (FouriScale, arXiv 2403.12963, Section 3.5, and the authors' code).
        """
        if step >= self.stop:
            return 1.0
        if step < self.start or not self.anneal:
            return float(self.dilation)
        return (self.dilation - 1) * (self.stop - step) / (self.stop - self.start) + 1

    def active(self, step: int) -> bool:
        """Whether step i differs from the plain model."""
        return self.dilation > 1 and step < self.stop


@dataclass(frozen=True)
class GridSchedule:
    """By how much the deep blocks' maps are made smaller in every step of a run.

    Attributes:
        dilation: how many times the training size the picture has on each axis, as a real number.
        start: first step from which guidance is as asked for.
        phases: (first step after it, times the training size) of each part of the run, both rising.
    """

    dilation: float
    start: int
    phases: tuple[tuple[int, float], ...]

    def at(self, step: int) -> float:
        """How many times smaller on each axis in step i; 1.0 where the UNet is its plain self.

        What would be a tenth smaller at most is left as it is, as a picture that is a tenth larger is.
        """
        times = next((times for stop, times in self.phases if step < stop), self.dilation)
        factor = self.dilation / times
        return factor if factor > TOLERANCE else 1.0

    def active(self, step: int) -> bool:
        """Whether step i differs from the plain model."""
        return self.at(step) > 1


def to_step(fraction: float, steps: int) -> int:
    """`round(fraction x steps)`, halves up: a one-step run counts as started from a fraction of 0.5."""
    return math.floor(fraction * steps + 0.5)
