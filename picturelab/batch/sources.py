"""Jobs files by their kind. Rows are read when asked for, as they were when the file was opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from .cells import Cells
from .columns import Columns
from .grid import Grid
from .lines import Lines

KINDS = (".jsonl", ".csv", ".parquet", ".yaml", ".yml")


class JobsFile(Protocol):
    """A jobs file.

    Attributes:
        unit: what its rows are called in messages.
        sha256: of everything that it was read from.
    """

    unit: str
    sha256: str

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """What a person counts the row as, from 1."""

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row.

        Raises:
            ValueError: it is damaged.
        """


def open_jobs_file(path: Path) -> JobsFile:
    """A jobs file by its name's ending.

    Raises:
        ValueError: it cannot be read, is of no known kind, or is empty.
    """
    kinds: dict[str, Callable[[Path], JobsFile]] = {
        ".jsonl": Lines,
        ".csv": Cells,
        ".parquet": Columns,
        ".yaml": Grid,
        ".yml": Grid,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: jobs files end in {', '.join(KINDS)}")
    source = kind(path)
    if not len(source):
        raise ValueError(f"{path} holds no job")
    return source
