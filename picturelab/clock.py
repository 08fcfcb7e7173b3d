"""A clock for the work of one thread, which stands still while that work has to wait for others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Waited(threading.local):
    seconds: float = 0.0  # of each thread


_WAITED = _Waited()


def now() -> float:
    """Seconds, of which only differences within one thread mean anything."""
    return time.perf_counter() - _WAITED.seconds


@contextmanager
def standing_still() -> Iterator[None]:
    """A `with` block that this thread's clock leaves out."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        _WAITED.seconds += time.perf_counter() - begun
