"""Warnings for the person who typed the prompt, as against those for programmers."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    """A `with` block whose remarks are passed on, each once; other warnings, for programmers, are dropped.

    Of several blocks at a time, a remark goes to the innermost of its own thread, and from a thread without one to the
    main thread's.
    """
    seen = set[str]()

    def pass_on(sentence: str) -> None:
        if sentence not in seen:
            seen.add(sentence)
            on_remark(sentence)

    with _BLOCKS.with_one(_Block(threading.current_thread(), pass_on)):
        yield


@contextmanager
def without_foreign_warnings() -> Iterator[None]:
    """A `with` block in which nothing warns but remarks, those of other threads too."""
    with _BLOCKS.with_one(_Block(threading.current_thread(), None)):
        yield


@dataclass(frozen=True, eq=False)
class _Block:
    """One of the blocks above; `pass_on` is what its remarks go to, None where it only silences others."""

    thread: threading.Thread
    pass_on: Callable[[str], None] | None


class _Blocks:
    """The blocks that are open in any thread.

    The settings of `warnings` belong to the whole process, and blocks of several threads end in any order. So the
    first one saves them, the last one puts them back, and in between they follow from the blocks that are open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[_Block] = []
        self._saved = warnings.catch_warnings()
        self._filters: list[Any] = []
        self._show: Callable[..., None] = warnings.showwarning

    @contextmanager
    def with_one(self, block: _Block) -> Iterator[None]:
        with self._lock:
            if not self._open:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                self._filters, self._show = list(warnings.filters), warnings.showwarning
            self._open.append(block)
            self._settle()
        try:
            yield
        finally:
            with self._lock:
                self._open.remove(block)
                if self._open:
                    self._settle()
                else:
                    self._saved.__exit__(None, None, None)

    def _settle(self) -> None:
        passing = any(block.pass_on for block in self._open)
        warnings.showwarning = self._pass_on if passing else self._show
        filters: Any = warnings.filters
        filters[:] = self._filters
        if not all(block.pass_on for block in self._open):
            warnings.simplefilter("ignore")
        warnings.simplefilter("always", Remark)

    def _pass_on(self, message: Warning | str, category: type[Warning], *more: Any, **others: Any) -> None:
        if not issubclass(category, Remark):
            return
        with self._lock:
            passing = [block for block in self._open if block.pass_on]
        for thread in (threading.current_thread(), threading.main_thread()):
            for block in reversed(passing):
                if block.thread is thread and block.pass_on:
                    block.pass_on(str(message))
                    return
        self._show(message, category, *more, **others)


_BLOCKS = _Blocks()
