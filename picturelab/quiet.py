"""Silence of the libraries beneath us, whose own bars and remarks would tear ours."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

from .remarks import without_foreign_warnings

_LOCK = threading.Lock()
_open = 0  # blocks of `silence`, in all threads
_levels: list[int] = []  # before the first of them


def quieten() -> None:
    """Have diffusers and transformers report errors only, and draw no bars."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """A `with` block in which they report nothing at all: what matters is said by an error or remark of ours.

    Levels belong to the whole process: the first of several threads' blocks saves them, the last one puts them back.
    """
    import diffusers
    import transformers

    global _open, _levels
    logs = [library.utils.logging for library in (diffusers, transformers)]
    with _LOCK:
        if not _open:
            _levels = [log.get_verbosity() for log in logs]
            for log in logs:
                log.set_verbosity(logging.CRITICAL + 1)
        _open += 1
    try:
        with without_foreign_warnings():
            yield
    finally:
        with _LOCK:
            _open -= 1
            if not _open:
                for log, level in zip(logs, _levels, strict=True):
                    log.set_verbosity(level)
