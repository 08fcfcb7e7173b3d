"""How long work takes on a device, and for how long it keeps Python busy. Needs torch alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

Case = TypeVar("Case", bound=Hashable)


@dataclass(frozen=True)
class Timing:
    """Of one piece of work.

    Attributes:
        seconds: from its begin to its end on the device.
        host_seconds: until Python had handed over all of it; None on a CPU, where that is the same.
    """

    seconds: float
    host_seconds: float | None = None


class Clock:
    """Times work on a CPU by Python's clock, on an NVIDIA GPU by events of its own.

    Work begins on an idle GPU. In a run Python may be ahead of it, and a call that is bound by Python takes somewhat
    less than here.
    """

    def __init__(self, device: torch.device):
        self.device = device

    def __call__(self, work: Callable[[], Any]) -> Timing:
        if self.device.type != "cuda":
            begun = time.perf_counter()
            work()
            return Timing(time.perf_counter() - begun)
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(self.device)  # so that nothing earlier is waited for
        begun = time.perf_counter()
        first.record()
        work()
        host_seconds = time.perf_counter() - begun
        last.record()
        last.synchronize()
        return Timing(first.elapsed_time(last) / 1000, host_seconds)  # events count milliseconds


def rotated(names: Sequence[Case], turn: int) -> list[Case]:
    """The same names, beginning with another one each turn."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def alternating(
    cases: Mapping[Case, Callable[[], Any]],
    turns: int,
    clock: Clock,
    prepare: Callable[[Case], None] = lambda _: None,
) -> dict[Case, list[Timing]]:
    """Each case's timings, one a turn, after one call of each that is not timed.

    Args:
        prepare: called with a case's name before each of its calls, and not timed.
    """
    for name, work in cases.items():
        prepare(name)
        work()
    timings: dict[Case, list[Timing]] = {name: [] for name in cases}
    for turn in range(turns):
        for name in rotated(list(cases), turn):
            prepare(name)
            timings[name].append(clock(cases[name]))
    return timings


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}
