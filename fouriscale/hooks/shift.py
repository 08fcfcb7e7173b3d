"""The cap on a schedule's shift, which pipelines raise with the number of tokens until no step denoises."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from typing import Any, Protocol

NAME = "set_timesteps"


class Capping(Protocol):
    """Settings that say how far the schedule of a pipeline may be shifted."""

    pipe: Any

    def most_shift(self, kwargs: dict[str, Any]) -> float | None:
        """The largest shift (mu) for these arguments of `set_timesteps`; None: whatever the pipeline says."""
        ...

    def follows(self) -> Any:
        """The settings that the pipeline follows which runs in this thread; None: no pipeline runs."""
        ...


class ShiftCap:
    """Stands in for a scheduler's `set_timesteps`, for all of the settings whose pipelines have that scheduler.

    Attributes:
        entries: those settings, the latest last.
    """

    def __init__(self, scheduler: Any, entries: list[Capping]):
        self._scheduler, self.entries = scheduler, entries
        functools.update_wrapper(self, getattr(type(scheduler), NAME).__get__(scheduler))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mu = kwargs.get("mu")
        if mu is not None and self.entries:
            entry = self.entries[-1].follows() or self.entries[-1]
            most = entry.most_shift(kwargs)
            kwargs["mu"] = mu if most is None else min(mu, most)
        return getattr(type(self._scheduler), NAME)(self._scheduler, *args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> ShiftCap:
        """A copied scheduler has the same cap on its own timesteps."""
        return ShiftCap(memo[id(self._scheduler)], list(self.entries))


def cap(scheduler: Any, entry: Capping, undo: ExitStack) -> None:
    """Let a scheduler be shifted no further than the settings say, until `undo`."""
    stand_in = vars(scheduler).get(NAME)
    if not isinstance(stand_in, ShiftCap):
        stand_in = ShiftCap(scheduler, [])
        setattr(scheduler, NAME, stand_in)
    stand_in.entries.append(entry)
    undo.callback(_uncap, scheduler, stand_in, entry)


def is_capped(scheduler: Any) -> bool:
    return isinstance(vars(scheduler).get(NAME), ShiftCap)


def _uncap(scheduler: Any, stand_in: ShiftCap, entry: Capping) -> None:
    stand_in.entries[:] = [other for other in stand_in.entries if other is not entry]
    if not stand_in.entries and vars(scheduler).get(NAME) is stand_in:
        delattr(scheduler, NAME)
