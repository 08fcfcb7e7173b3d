"""The manners of a command: bad input is one sentence on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any

import typer
from typer.exceptions import TyperException

from .. import passing_remarks

if TYPE_CHECKING:
    from ..runs.folder import OnProgress


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit: 0, 2 on bad input, 130 when interrupted.

    Args:
        app: the commands.
        arguments: the words after the program's name; None takes what was typed.
    """
    command = typer.main.get_command(app)
    try:
        with passing_remarks(lambda sentence: complain(sentence, "Warning")):
            code = command.main(args=None if arguments is None else list(arguments), standalone_mode=False)
    except TyperException as error:  # a word that the command line itself does not understand
        if error.format_message():  # empty where the help was printed instead
            complain(error.format_message())
        sys.exit(error.exit_code)
    except (ValueError, TypeError) as error:
        complain(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code or 0)


def complain(sentence: str, kind: str = "Error") -> None:
    typer.echo(f"{kind}: {sentence}", err=True)


def print_version(version: bool) -> None:
    """A callback for `--version`."""
    if version:
        typer.echo(f"fouriscale-padtone {metadata.version('fouriscale-padtone')}")
        raise typer.Exit


@contextmanager
def stage_bars() -> Iterator[OnProgress]:
    """A bar a stage, on stderr: call what it gives with (stage, pieces done, pieces in all)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks: dict[str, Any] = {}
    bars = Bars(*columns, console=Console(stderr=True))

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
