"""What the engines have in common: a crew of workers, and the loop that keeps all of them busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ...failures import reason
from ...notation import parse_control
from ...remarks import remark
from ..dispatch import Dispatcher, Outcome, Unit
from ..worker import DEPTH

_PAUSE = 0.5  # seconds between looks at the stop signal
_LEAST, _SLOWER = 30 * 60, 20  # see `Clocks`


@dataclass(frozen=True)
class Finished:
    """A worker has made a unit."""

    place: int
    unit: Unit
    outcome: Outcome


@dataclass(frozen=True)
class Died:
    """A worker is gone, and what it had in hand with it."""

    place: int
    reason: str


class Crew(Protocol):
    """Workers at numbered places.

    Attributes:
        size: how many.
    """

    size: int

    def send(self, place: int, unit: Unit) -> None:
        """Hand a unit to a worker; one that is not there is started."""

    def wait(self, seconds: float) -> list[Finished | Died]:
        """What has happened; waits for something to."""

    def abandon(self, place: int) -> bool:
        """End a worker that hangs, with what it has in hand; False: this kind cannot."""

    def halt(self) -> None:
        """Have the workers finish what they sample and begin no more."""

    def close(self) -> None:
        """End the workers, which have nothing in hand."""


def drive(
    dispatcher: Dispatcher,
    crew: Crew,
    stop: threading.Event,
    on_note: Callable[[], None] = lambda: None,
    patience: float = float("inf"),
) -> None:
    """Make everything, or what is in hand when `stop` is set or the run cannot go on.

    Args:
        on_note: called whenever something was noted in the manifest.
        patience: seconds that a worker may take for a unit; see `Clocks`.
    """
    hands: list[list[Unit]] = [[] for _ in range(crew.size)]
    clocks = Clocks(crew.size, patience)
    halted = False
    try:
        while True:
            if stop.is_set() or dispatcher.broken:
                if not halted:
                    crew.halt()
                halted = True
            else:
                _fill(dispatcher, crew, hands, clocks)
            if not any(hands):
                return
            for event in crew.wait(_PAUSE):
                if isinstance(event, Died):
                    units, hands[event.place] = hands[event.place], []
                    if not halted:
                        _noting(dispatcher, partial(dispatcher.died, units, event.reason))
                else:
                    clocks.finish(event.place, event.unit)
                    hands[event.place].remove(event.unit)
                    _noting(dispatcher, partial(dispatcher.finish, event.unit, event.outcome))
                on_note()
            for place, units in enumerate(hands):
                if units and clocks.late(place, units[0]):
                    _hanging(dispatcher, crew, clocks, place, hands, halted)
                    on_note()
    finally:
        crew.close()


class Clocks:
    """How long each worker has been at its unit. The limit is `patience`, or less once units have been timed.

    Args:
        patience: seconds. A place's first unit with a model may load or download it, and nobody knows how long that
            takes, so this is generous; for the next ones `_SLOWER` times the slowest unit of the run is enough, but
            not less than `_LEAST` seconds.
    """

    def __init__(self, size: int, patience: float) -> None:
        self._begun = [time.monotonic()] * size
        self._models: list[set[str]] = [set() for _ in range(size)]  # of finished units
        self._patience, self._slowest = patience, 0.0

    def limit(self, place: int, unit: Unit) -> float:
        if not self._models[place] >= _models(unit):
            return self._patience
        return min(self._patience, max(_LEAST, _SLOWER * self._slowest))

    def begin(self, place: int) -> None:
        self._begun[place] = time.monotonic()

    def finish(self, place: int, unit: Unit) -> None:
        self._models[place] |= _models(unit)
        self._slowest = max(self._slowest, time.monotonic() - self._begun[place])
        self.begin(place)

    def late(self, place: int, unit: Unit) -> bool:
        return time.monotonic() - self._begun[place] > self.limit(place, unit)


def _models(unit: Unit) -> set[str]:
    """What a worker loads for a unit, by name: the model and its ControlNets."""
    job = unit.jobs[0]  # the others name the same
    return {job.model, *(parse_control(text)[0] for text in job.control)}


def _hanging(
    dispatcher: Dispatcher, crew: Crew, clocks: Clocks, place: int, hands: list[list[Unit]], halted: bool
) -> None:
    """Have what a hanging worker holds tried elsewhere; or say that it hangs, where it cannot be ended."""
    minutes = f"{clocks.limit(place, hands[place][0]) / 60:,.3g} minutes"
    if crew.abandon(place):
        units, hands[place] = hands[place], []
        if not halted:
            _noting(dispatcher, partial(dispatcher.died, units, f"it hung: nothing was made for {minutes}"))
        return
    ids = ", ".join(unit.jobs[0].id for unit in hands[place])
    remark(
        f"nothing has been made for {minutes}, with the groups of {ids} in hand: if it hangs, Ctrl-C twice ends it, "
        "and the same command goes on; --workers 2 replaces workers that hang"
    )
    clocks.begin(place)


def _fill(dispatcher: Dispatcher, crew: Crew, hands: list[list[Unit]], clocks: Clocks) -> None:
    """Give every worker as much as it can overlap; round by round, so that the last ones are shared."""
    for _ in range(DEPTH):
        for place, units in enumerate(hands):
            if len(units) >= DEPTH or any(unit.suspect for unit in units):
                continue
            unit = dispatcher.take(idle=not units)
            if unit is None:
                continue
            if not units:
                clocks.begin(place)
            units.append(unit)
            crew.send(place, unit)


def _noting(dispatcher: Dispatcher, note: Callable[[], None]) -> None:
    """A manifest that cannot be written ends the run."""
    try:
        note()
    except OSError as error:
        dispatcher.broken = dispatcher.broken or f"the manifest cannot be written ({reason(error)})"
