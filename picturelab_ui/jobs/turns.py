"""Whose turn it is: round robin over visitors, and over the jobs of each.

Scheduling between two steps rather than between two jobs is ORCA's (Yu et al., OSDI 2022), there for language models
and with batches. Here one job computes at a time, so that its bytes are those of a job alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

_OVERTAKEN = 4  # jobs that may begin before one whose model has no room
_REMEMBERED = 1000  # visitors: one who comes back with job after job is no newcomer


class Taker(Protocol):
    """One who takes turns.

    Attributes:
        visitor: for whom.
        model: what it needs in memory; "" needs nothing.
        turn: the number of its latest turn; 0 where it has not begun.
        overtaken: how many later ones have begun while its model had no room.
    """

    @property
    def visitor(self) -> str: ...

    @property
    def model(self) -> str: ...

    turn: int
    overtaken: int


T = TypeVar("T", bound=Taker)


class Rotation(Generic[T]):
    """Gives turns by number.

    Args:
        most: of those that have begun and are not finished.
        most_models: that they may need in all.
    """

    def __init__(self, most: int, most_models: int) -> None:
        self._most, self._most_models = most, most_models
        self._given = 0
        self._visitors: OrderedDict[str, int] = OrderedDict()  # {visitor: number of the latest turn}

    def order(self, begun: Sequence[T], waiting: Sequence[T]) -> list[T]:
        """Those that may have a turn, the next one first: whose visitor's latest turn is the longest ago.

        Args:
            begun, waiting: both in the order in which they came.
        """
        takers = [*begun, *self._may_begin(begun, waiting)]
        return sorted(takers, key=lambda one: (self._visitors.get(one.visitor, 0), one.turn))

    def lacks_room(self, taker: T, begun: Sequence[T]) -> bool:
        """Whether its model is one too many."""
        models = {one.model for one in begun if one.model}
        return bool(taker.model) and taker.model not in models and len(models) >= self._most_models

    def give(self, taker: T, begun: Sequence[T], waiting: Sequence[T]) -> None:
        """Note that a turn is given, to one that has begun or to one that waits and begins now."""
        for earlier in waiting[: waiting.index(taker)] if taker in waiting else ():
            earlier.overtaken += self.lacks_room(earlier, begun)
        self._given += 1
        taker.turn = self._visitors[taker.visitor] = self._given
        self._visitors.move_to_end(taker.visitor)
        while len(self._visitors) > _REMEMBERED:
            self._visitors.popitem(last=False)

    def _may_begin(self, begun: Sequence[T], waiting: Sequence[T]) -> Iterator[T]:
        if len(begun) >= self._most:
            return
        for one in waiting:
            if not self.lacks_room(one, begun):
                yield one
            elif one.overtaken >= _OVERTAKEN:
                return
