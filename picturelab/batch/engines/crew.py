"""What the engines have in common: a crew of workers, and the loop that keeps all of them busy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ..dispatch import Dispatcher, Outcome, Unit
from ..worker import DEPTH

_PAUSE = 0.5  # seconds between looks at the stop signal


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

    def halt(self) -> None:
        """Have the workers finish what they sample and begin no more."""

    def close(self) -> None:
        """End the workers, which have nothing in hand."""


def drive(
    dispatcher: Dispatcher, crew: Crew, stop: threading.Event, on_note: Callable[[], None] = lambda: None
) -> None:
    """Make everything, or what is in hand when `stop` is set or the run cannot go on.

    Args:
        on_note: called whenever something was noted in the manifest.
    """
    hands: list[list[Unit]] = [[] for _ in range(crew.size)]
    halted = False
    try:
        while True:
            if stop.is_set() or dispatcher.broken:
                if not halted:
                    crew.halt()
                halted = True
            else:
                _fill(dispatcher, crew, hands)
            if not any(hands):
                return
            for event in crew.wait(_PAUSE):
                if isinstance(event, Died):
                    units, hands[event.place] = hands[event.place], []
                    if not halted:
                        _noting(dispatcher, partial(dispatcher.died, units, event.reason))
                else:
                    hands[event.place].remove(event.unit)
                    _noting(dispatcher, partial(dispatcher.finish, event.unit, event.outcome))
                on_note()
    finally:
        crew.close()


def _fill(dispatcher: Dispatcher, crew: Crew, hands: list[list[Unit]]) -> None:
    """Give every worker as much as it can overlap; round by round, so that the last ones are shared."""
    for _ in range(DEPTH):
        for place, units in enumerate(hands):
            if len(units) >= DEPTH or any(unit.suspect for unit in units):
                continue
            unit = dispatcher.take(idle=not units)
            if unit is None:
                continue
            units.append(unit)
            crew.send(place, unit)


def _noting(dispatcher: Dispatcher, note: Callable[[], None]) -> None:
    """A manifest that cannot be written ends the run."""
    try:
        note()
    except OSError as error:
        dispatcher.broken = dispatcher.broken or f"the manifest cannot be written ({error.strerror or error})"
