"""The manners of a command: bad input is one sentence on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata

import typer
from typer.exceptions import TyperException

from ..remarks import passing_remarks


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
