"""How far a stage has come, counted in steps or in seconds, and the learning rate there."""

from __future__ import annotations

import math
import time
from typing import Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast


def cosine(start: float, end: float, done: float, of: float) -> float:
    """A learning rate that falls from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * done / of)) / 2


class Schedule(Protocol):
    """A stage ends when `done` reaches `of`."""

    @property
    def of(self) -> float: ...

    def done(self, step: int) -> float:
        """How much of it lies behind before this step; every process calls it before every step."""
        ...

    def entry(self, done: float) -> dict[str, float]:
        """What the log says of it."""
        ...


class StepSchedule:
    """A stage of so many steps."""

    def __init__(self, of: int):
        self.of: float = of

    def done(self, step: int) -> float:
        return step

    def entry(self, done: float) -> dict[str, float]:
        return {"of": self.of}


class TimeSchedule:
    """A stage of so many seconds, of which an interrupted run has used some already."""

    def __init__(self, of: float, used: float, accelerator: Accelerator):
        self.of = of
        self._accelerator = accelerator
        self._began = time.monotonic() - used

    def done(self, step: int) -> float:
        used = time.monotonic() - self._began
        if self._accelerator.num_processes == 1:
            return used
        # The first process's watch counts: all must stop at the same step, and learn at the same rate.
        return float(broadcast(torch.tensor([used], device=self._accelerator.device)))

    def entry(self, done: float) -> dict[str, float]:
        return {"seconds": round(done, 1), "of_seconds": round(self.of, 1)}
