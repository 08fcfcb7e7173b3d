"""The settings of the pipelines that share a denoiser, and which of them a pipeline follows."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar

from .pipelines import OwnLoop


class Entry(Protocol):
    """Settings for one pipeline, or for whoever calls a denoiser."""

    pipe: Any


Kind = TypeVar("Kind", bound=Entry)


class Entries(ABC, Generic[Kind]):
    """Settings on one denoiser, each for one of the pipelines that have it.

    Attributes:
        entries: the settings, the latest last.
    """

    def __init__(self) -> None:
        self.entries: list[Kind] = []
        self._lock = threading.RLock()

    @abstractmethod
    def _attach(self) -> None:
        """Attach what the settings need and take off what none needs any more, undoing all of it if that fails."""

    def put(self, entry: Kind) -> None:
        """Let a pipeline have these settings in place of those that it had itself."""
        with self._lock:
            before = list(self.entries)
            self.entries = [e for e in before if e.pipe is not entry.pipe] + [entry]
            try:
                self._attach()
            except BaseException:
                self.entries = before
                self._attach()
                raise

    def drop(self, entry: Kind) -> None:
        with self._lock:
            self.entries = [e for e in self.entries if e is not entry]
            self._attach()

    def followed(self, pipe: Any) -> list[Kind]:
        """The settings that a pipeline could follow, those that it does follow first.

        Its own; those of pipelines with the same scheduler, as `from_pipe` makes them; those of the denoiser itself.
        """
        own = [entry for entry in self.entries if entry.pipe is pipe]
        scheduler = getattr(pipe, "scheduler", None)
        others = [entry for entry in reversed(self.entries) if entry.pipe is not pipe]
        kin = [e for e in others if not isinstance(e.pipe, OwnLoop) and e.pipe.scheduler is scheduler]
        return own + kin + [entry for entry in others if isinstance(entry.pipe, OwnLoop)]
