"""Progress on stderr, a bar a stage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

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
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
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
    tenths: dict[str, int] = {}

    def update(stage: str, done: int, total: int) -> None:
        tenth = 10 * done // max(1, total)
        if tenths.get(stage) != tenth:
            tenths[stage] = tenth
            typer.echo(f"{printable(stage)}: {done} of {total}", err=True)

    return update
