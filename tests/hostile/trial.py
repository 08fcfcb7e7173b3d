"""One trial: a command line in an empty folder, up to the moment at which a model would be loaded."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .commands import PROGRAMS


class Passed(SystemExit):
    """All checks are passed: the work would begin now."""


def _begin(*_: Any, **__: Any) -> None:
    raise Passed(0)


TRIED: Counter[str] = Counter()  # command lines and calls of this run, by command or endpoint

# Where the work begins, after everything that can be known before it.
BEGINNINGS = (
    "picturelab.models.load_pipeline",
    "padtone.families.ldm.load_ldm",
    "padtone.audit.clip.Clip.load",
    "picturelab.batch.stores.Folder.begin",
    "picturelab.batch.stores.Objects.begin",
    "picturelab.runs.processes.side_by_side",
    "picturelab_ui.page.launch",
    "fouriscale.reports.explain.explain",
)


@contextlib.contextmanager
def without_work() -> Iterator[None]:
    """Nothing heavy begins within."""
    with pytest.MonkeyPatch.context() as patches:
        for name in BEGINNINGS:
            patches.setattr(name, _begin)
        patches.setattr("socket.getaddrinfo", _local_addresses)
        yield


def _local_addresses(host: str | None, *arguments: Any, **named: Any) -> Any:
    """Nobody is asked for the address of a made-up name."""
    if host not in ("127.0.0.1", "0.0.0.0", "localhost"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _addresses(host, *arguments, **named)


_addresses = socket.getaddrinfo


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code; None where it ended by an error of Python's, whose traceback `err` then is.
        passed: whether the work would have begun.
        left: files and folders that it has made.
    """

    code: int | str | None
    passed: bool
    err: str
    left: list[str]

    def fault(self, refused: bool) -> str:
        """What is wrong with it, in a word; empty if nothing is.

        Args:
            refused: whether it has to be refused.
        """
        if self.code not in (0, 2):
            return f"exit code {self.code}"
        if "Traceback" in self.err:
            return "traceback"
        if refused and self.code == 0:
            return "accepted"
        if self.code == 2:
            wrong = [line for line in self.err.splitlines() if not line.startswith(("Warning: ", "  "))]
            if len(wrong) != 1 or not wrong[0].startswith("Error: ") or len(wrong[0]) < 20:
                return "no single sentence"
            if not self.err.replace("\n", "").isprintable() and "\x1b" in self.err:
                return "steers the terminal"
        if self.left and not self.passed:
            return "leaves files"
        return ""


def outcome(program: str, line: Sequence[str]) -> Outcome:
    """Run a command in an empty folder of its own, in this process."""
    main = PROGRAMS[program][0]
    TRIED[f"{program} {line[0]}"] += 1
    before = Path.cwd()
    passed, code = False, None
    out, err = io.StringIO(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main(list(line))
        except Passed:
            passed, code = True, 0
        except SystemExit as stop:
            code = stop.code or 0
        except BaseException:
            err.write(traceback.format_exc())
        finally:
            os.chdir(before)
        left = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
    return Outcome(code, passed, err.getvalue(), left)
