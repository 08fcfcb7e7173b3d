"""Who is still there: pages that are open, and programs that listen for their answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds without a connection before somebody has gone.
PATIENCE = 15.0  # a page that is loaded anew takes less
PROGRAMS_PATIENCE = 8.0  # a program asks for its answer at once


class Presence:
    """Connections by key: a page's session, or a program's call. A browser has the sessions of its pages.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._signs: dict[str, float] = {}  # {key: until when its last sign counts}
        self._sessions: dict[str, set[str]] = {}  # of a browser

    @contextmanager
    def connected(self, key: str) -> Iterator[None]:
        """A `with` block for as long as a connection is open; a page may come back afterwards, loaded anew."""
        with self._lock:
            self._open[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
                if any(key in keys for keys in self._sessions.values()):
                    self._signs[key] = self._clock() + PATIENCE

    def note(self, key: str, browser: str = "") -> None:
        """A sign of a page of a browser, or of a program's call."""
        with self._lock:
            self._signs[key] = self._clock() + (PATIENCE if browser else PROGRAMS_PATIENCE)
            if browser:
                self._sessions.setdefault(browser, set()).add(key)
            if len(self._signs) > 1000:
                self._forget()

    def is_here(self, key: str) -> bool:
        """Whether a session or call is connected, or gave a sign not long ago."""
        with self._lock:
            return self._here(key)

    def browser_is_here(self, browser: str) -> bool:
        """Whether any page of a browser is."""
        with self._lock:
            return any(self._here(key) for key in self._sessions.get(browser, ()))

    def _here(self, key: str) -> bool:
        return self._open[key] > 0 or self._clock() < self._signs.get(key, 0.0)

    def _forget(self) -> None:
        self._signs = {key: sign for key, sign in self._signs.items() if self._here(key)}
        self._sessions = {
            browser: here
            for browser, keys in self._sessions.items()
            if (here := {key for key in keys if self._here(key)})
        }
