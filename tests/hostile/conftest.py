"""How many examples are tried: a few hundred in all, or as many times more as PICTURELAB_HOSTILE says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from .inputs import write_inputs
from .trial import TRIED, without_work

TIMES = int(os.environ.get("PICTURELAB_HOSTILE", "1"))


def examples(count: int) -> Callable:
    """The same examples in every run of the usual number; new ones where more are asked for."""
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many were tried, for docs/what-was-tried.md."""
    if TRIED:
        of_each = ", ".join(f"{name} {count}" for name, count in sorted(TRIED.items()))
        terminalreporter.write_line(f"hostile inputs tried: {TRIED.total()} ({of_each})")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `write_inputs`."""
    folder = tmp_path_factory.mktemp("hostile") / "inputs"
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def no_work() -> Iterator[None]:
    """Commands end where a model would be loaded."""
    with without_work():
        yield
