"""The manners of a command: bad input is one sentence on stderr and exit code 2, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import typer
from typer.exceptions import TyperException

from ..failures import foreign_sentence, printable
from ..remarks import passing_remarks
from ..settings import shortened

DEBUG = "PICTURELAB_DEBUG"  # an environment variable: where it is set, errors show where they arose
_MOST = 2000  # letters of a sentence, where a stranger's value stands in it


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> None:
    """Run a command line and exit: 0, 2 on bad input, 130 when interrupted, 1 where nobody reads the output.

    A traceback is a bug of ours: what other libraries raise becomes a sentence.

    Args:
        app: the commands.
        arguments: the words after the program's name; None takes what was typed.
    """
    command = typer.main.get_command(app)
    try:
        with _any_letters(), passing_remarks(lambda sentence: complain(sentence, "Warning")):
            code = command.main(args=None if arguments is None else list(arguments), standalone_mode=False)
            if sys.stdout is not None:  # it is where a shell has closed it
                sys.stdout.flush()  # not at the very end, where Python would complain by itself
    except TyperException as error:  # a word that the command line itself does not understand
        if error.format_message():  # empty where the help was printed instead
            complain(error.format_message())
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("stopped; a batch, an audit or a report goes on with the same command", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exception(error)
        complain(_sentence(error))
        sys.exit(2)
    sys.exit(code or 0)


def say(text: str) -> None:
    """Print a line that may hold words of strangers, such as a file's name or a recipe's prompt."""
    typer.echo("\n".join(map(printable, text.split("\n"))))


def called(name: str) -> str:
    """How a command of ours is called from here: by its name where the shell finds this very one, else by its path."""
    beside = Path(sys.executable).parent / name
    if not beside.is_file() or shutil.which(name) == str(beside):
        return name
    return shlex.quote(os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside))


def complain(sentence: str, kind: str = "Error") -> None:
    """Say on stderr what is wrong; further lines, where there are any, are indented."""
    lines = map(printable, re.split(r"\n(?=  )", sentence))
    typer.echo(f"{kind}: {shortened(chr(10).join(lines), _MOST)}", err=True)


def print_version(version: bool) -> None:
    """A callback for `--version`."""
    if version:
        typer.echo(f"fouriscale-padtone {metadata.version('fouriscale-padtone')}")
        raise typer.Exit


def _sentence(error: Exception) -> str:
    """What is wrong.

    Raises:
        Exception: the error itself, where it is a bug of ours.
    """
    foreign = foreign_sentence(error)
    if foreign is not None:
        return f"{foreign}; {DEBUG}=1 shows where"
    if isinstance(error, ValueError | TypeError):
        return str(error)
    raise error


@contextlib.contextmanager
def _any_letters() -> Iterator[None]:
    """Print what the terminal's encoding lacks as escapes, rather than fail at a picture's name."""
    streams: list[Any] = [
        stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)
    ]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with contextlib.suppress(
                OSError, ValueError
            ):  # what is left to be written may fail, and is tried again
                stream.reconfigure(errors=errors)
