"""An answer that is remembered as long as the same object is asked about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")
_NOTHING = object()


class Latest(Generic[Answer]):
    """A function that remembers its latest answer.

    A pipeline hands its denoiser the same text at every step, and its scheduler has the same timesteps:
    what is costly to find out about them is found out once a run. "The same" is the object, not its
    values, so nothing is compared.
    """

    def __init__(self, find: Callable[[Any], Answer]) -> None:
        self._find = find
        self._thing: Any = _NOTHING  # held, so that its identity cannot pass to another object

    def __call__(self, thing: Any) -> Answer:
        if thing is not self._thing:
            self._answer = self._find(thing)
            self._thing = thing
        return self._answer
