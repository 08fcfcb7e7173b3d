"""Progress on stderr, a bar a stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from ..amounts import duration
from ..failures import printable

if TYPE_CHECKING:
    from ..runs.folder import OnProgress


def loading(model: str) -> str:
    """What the terminal shows while a model is loaded; a name in square brackets is no colour of rich's."""
    from rich.markup import escape

    return f"loading {escape(printable(model))}"


@contextmanager
def stage_bars() -> Iterator[OnProgress]:
    """A bar a stage, on stderr: call what it gives with (stage, pieces done, pieces in all).

    Where nobody watches, as in a log, it is a line for each tenth of a stage, and stands before what follows.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    words = TextColumn("{task.description:<9}")
    columns = (
        words,
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    tasks: dict[str, Any] = {}
    bars = Bars(*columns, console=console)

    def update(stage: str, done: int, total: int) -> None:
        if not tasks:
            bars.start()  # not before: bad input is to be one line on stderr
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total, completed=done)
        bars.update(tasks[stage], completed=done, total=total)

    try:
        yield update
    finally:
        if tasks:
            bars.stop()


def _lines() -> OnProgress:
    """A line for each tenth of a stage; what was done before, by a run that was killed, took no time of this one."""
    tenths: dict[str, int] = {}
    begun: dict[str, tuple[float, int]] = {}

    def update(stage: str, done: int, total: int) -> None:
        since, before = begun.setdefault(stage, (time.monotonic(), done))
        tenth = 10 * done // max(1, total)
        if tenths.get(stage) != tenth:
            tenths[stage] = tenth
            took, more = time.monotonic() - since, ""
            if done > before:
                left = took * (total - done) / (done - before)
                more = f" after {duration(took)}" + (f", about {duration(left)} left" if left else "")
            typer.echo(f"{printable(stage)}: {done} of {total}{more}", err=True)

    return update
