"""Time and peak memory of a subject in every mode, and what they are over those of direct sampling."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from fouriscale import FouriScaleConfig
from picturelab.failures import reason
from picturelab.memory import peak_so_far, reset_peak

from .cases import Phase
from .clock import Clock, Timing, rotated, spread
from .subjects import Subject

DIRECT = "direct"
_WARM_UPS = 2  # calls of a phase before a compiled one is timed: the second may compile again
# What torch, its compiler and the device's memory fail with, and a mode that refuses.
_BORNE = (RuntimeError, AssertionError, MemoryError, ValueError)


@dataclass
class Record:
    """What was seen of one mode.

    Attributes:
        phases: of a run.
        turns: timings by turn, phase and call.
        peak_bytes: the most memory beyond the weights; None where it was not looked at.
        compile_seconds: of the first calls, which compile.
        failure: why it could not be measured.
    """

    phases: list[Phase]
    turns: list[list[list[Timing]]] = field(default_factory=list)
    peak_bytes: int | None = None
    compile_seconds: float | None = None
    failure: str | None = None

    def run_seconds(self, read: Callable[[Timing], float | None], turn: int | None = None) -> float | None:
        """Of a whole run: the sum over phases of steps times the median of a call, of one turn or of all."""
        turns = self.turns if turn is None else [self.turns[turn]]
        total = 0.0
        for index, phase in enumerate(self.phases):
            calls = [seconds for each in turns for t in each[index] if (seconds := read(t)) is not None]
            if not calls:
                return None
            total += phase.steps * statistics.median(calls)
        return total


def measure(
    subject: Subject,
    configs: Mapping[str, FouriScaleConfig | None],
    clock: Clock,
    *,
    turns: int,
    calls: int,
    compiled: bool = False,
) -> dict[str, Record]:
    """Every mode's record; one that fails does not end the others.

    Modes alternate from turn to turn, each applied anew and called once in each phase before it is timed. Compiled
    ones do not, for each would have to be compiled anew.

    Args:
        configs: by mode's name; None samples directly.
        calls: timed of each phase in each turn.
        compiled: compile the UNet in every mode, by torch's default backend.
    """
    records = {name: Record(subject.phases(config)) for name, config in configs.items()}
    for turn in range(1 if compiled else turns):
        for name in rotated(list(configs), turn):
            record = records[name]
            if record.failure is not None:
                continue
            try:
                with subject.applied(configs[name]):
                    if compiled:
                        _compiled_turns(subject, record, clock, turns, calls)
                    else:
                        _turn(subject, record, clock, calls)
            except _BORNE as error:
                record.failure = reason(error)
    return records


def _turn(subject: Subject, record: Record, clock: Clock, calls: int, warm_ups: int = 1) -> None:
    for phase in record.phases:
        for _ in range(warm_ups):
            subject(phase)  # makes the filters, and has the device choose its kernels
    reset_peak(clock.device)
    timings = [[clock(lambda phase=phase: subject(phase)) for _ in range(calls)] for phase in record.phases]
    if clock.device.type == "cuda":
        beyond = peak_so_far(clock.device) - subject.weight_bytes
        record.peak_bytes = max(beyond, record.peak_bytes or 0)
    record.turns.append(timings)


def _compiled_turns(subject: Subject, record: Record, clock: Clock, turns: int, calls: int) -> None:
    """All of a mode's turns on a UNet that is compiled for it, and not any more afterwards."""
    subject.unet.compile()
    try:
        begun = time.perf_counter()
        for phase in record.phases:
            for _ in range(_WARM_UPS):
                subject(phase)
        if clock.device.type == "cuda":
            torch.cuda.synchronize(clock.device)
        record.compile_seconds = time.perf_counter() - begun
        for _ in range(turns):
            _turn(subject, record, clock, calls, warm_ups=0)
    finally:
        subject.unet._compiled_call_impl = None  # what `compile` sets
        torch.compiler.reset()


def rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """One row a mode for JSON, ratios over direct sampling in it; without ratios where that failed."""
    direct = records[DIRECT]
    return [
        {"mode": name, "failure": record.failure}
        if record.failure is not None
        else {"mode": name, **_figures(record), **_ratios(record, direct)}
        for name, record in records.items()
    ]


def _figures(record: Record) -> dict[str, Any]:
    by_phase = []
    for index, phase in enumerate(record.phases):
        timings = [timing for turn in record.turns for timing in turn[index]]
        host = [timing.host_seconds for timing in timings if timing.host_seconds is not None]
        by_phase.append(
            {
                "factor": phase.factor,
                "first_step": phase.first,
                "steps": phase.steps,
                "seconds": spread([timing.seconds for timing in timings]),
                "host_seconds": spread(host) if host else None,
            }
        )
    return {
        "run_seconds": record.run_seconds(_seconds),
        "run_host_seconds": record.run_seconds(_host_seconds),
        "peak_bytes": record.peak_bytes,
        "compile_seconds": record.compile_seconds,
        "phases": by_phase,
    }


def _ratios(record: Record, direct: Record) -> dict[str, Any]:
    """Time over direct sampling's, from the medians of all turns; least and most of the turns' own; peak memory."""
    if direct.failure is not None:
        return {"time": None, "time_of_turns": None, "peak": None}
    by_turn = [
        _ratio(record.run_seconds(_seconds, turn), direct.run_seconds(_seconds, turn))
        for turn in range(len(record.turns))
    ]
    return {
        "time": _ratio(record.run_seconds(_seconds), direct.run_seconds(_seconds)),
        "time_of_turns": [min(by_turn), max(by_turn)],
        "peak": _ratio(record.peak_bytes, direct.peak_bytes),
    }


def _ratio(part: float | None, whole: float | None) -> Any:
    return part / whole if part is not None and whole else None


def _seconds(timing: Timing) -> float | None:
    return timing.seconds


def _host_seconds(timing: Timing) -> float | None:
    return timing.host_seconds
