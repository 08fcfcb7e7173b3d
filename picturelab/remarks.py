"""Warnings for the person who typed the prompt, as against those for programmers."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_INSIDE = ("fouriscale", "picturelab", "padtone", "contextlib", "pydantic")


class Remark(UserWarning):
    """A warning meant for the person who typed the prompt; the commands print it as one sentence."""


def remark(sentence: str) -> None:
    """Warn with a `Remark` that points at the caller's own line, however deep within us it arose."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        level += 1
    warnings.warn(sentence, Remark, stacklevel=level + 1)


@contextmanager
def passing_remarks(on_remark: Callable[[str], None]) -> Iterator[None]:
    """A `with` block whose remarks are passed on, each once; other warnings, for programmers, are dropped."""
    seen = set[str]()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, Remark) and str(message) not in seen:
            seen.add(str(message))
            on_remark(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", Remark)
        warnings.showwarning = show
        yield


@contextmanager
def without_foreign_warnings() -> Iterator[None]:
    """A `with` block in which nothing warns but remarks, those of other threads too."""
    with warnings.catch_warnings(action="ignore"):
        warnings.simplefilter("always", Remark)
        yield
