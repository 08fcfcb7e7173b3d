"""Silence of the libraries beneath us, whose own bars and remarks would tear ours."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from .remarks import without_foreign_warnings


def quieten() -> None:
    """Have diffusers and transformers report errors only, and draw no bars."""
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """A `with` block in which they report nothing at all: what matters is said by an error or remark of ours."""
    import diffusers
    import transformers

    logs = [library.utils.logging for library in (diffusers, transformers)]
    before = [log.get_verbosity() for log in logs]
    try:
        for log in logs:
            log.set_verbosity(logging.CRITICAL + 1)
        with without_foreign_warnings():
            yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.set_verbosity(level)
