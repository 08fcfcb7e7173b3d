"""A quota for the output folder: the oldest files go first, and never what is being written or was just shown."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = ".cache"  # below the output folder: copies of what was shown, and uploads
_OURS = re.compile(rf"[0-9a-f]{{32}}|{re.escape(CACHE)}")  # other things in the folder are left alone
_SAFE = (600.0, 30.0)  # seconds for which a file stays; the second where the first leaves too much


@dataclass(frozen=True)
class _File:
    path: Path
    size: int
    time: float  # when it was written or last shown
    visitor: str


class Disk:
    """The files below an output folder.

    Args:
        output: the folder; files of one visitor lie in a folder of its own there.
        most: bytes of all files.
        most_of_a_visitor: bytes of one visitor's.
        addresses: {a visitor's folder: where it asks from}; folders of one address are one visitor's.
    """

    def __init__(
        self, output: Path, most: int, most_of_a_visitor: int, addresses: Mapping[str, str] | None = None
    ) -> None:
        self._output, self._most, self._most_of_a_visitor = output.resolve(), most, most_of_a_visitor
        self._addresses = addresses or {}
        self._shown: dict[Path, float] = {}
        self._writing: list[Path] = []
        self._lock = threading.Lock()

    @contextmanager
    def writing(self, folder: Path) -> Iterator[None]:
        """A `with` block during which nothing in a folder goes."""
        self._writing.append(folder)
        try:
            yield
        finally:
            self._writing.remove(folder)

    def note_shown(self, path: Path) -> None:
        """A file is being shown now."""
        self._shown[path] = time.time()

    def tidy(self) -> None:
        """Have the oldest files go where there are too many bytes. What cannot be removed stays."""
        with self._lock:
            for safe in _SAFE:
                files = list(self._files())
                by_visitor = defaultdict(list)
                for file in files:
                    by_visitor[file.visitor].append(file)
                gone = {
                    file
                    for visitor, own in by_visitor.items()
                    if visitor != CACHE
                    for file in self._too_much(own, self._most_of_a_visitor, safe)
                }
                gone |= set(self._too_much([file for file in files if file not in gone], self._most, safe))
                self._remove(gone)
            self._forget()

    def _too_much(self, files: Iterable[_File], most: int, safe: float) -> Iterator[_File]:
        """The oldest files that must go for at most `most` bytes to stay."""
        oldest_first = sorted(files, key=lambda file: file.time)
        over = sum(file.size for file in oldest_first) - most
        for file in oldest_first:
            if over <= 0 or time.time() - file.time < safe:
                return
            if not any(file.path.is_relative_to(folder) for folder in tuple(self._writing)):
                over -= file.size
                yield file

    def _files(self) -> Iterator[_File]:
        if not self._output.is_dir():
            return
        for top in self._output.iterdir():
            if not _OURS.fullmatch(top.name):
                continue
            visitor = self._addresses.get(top.name, top.name)
            for path in top.rglob("*"):
                with contextlib.suppress(OSError):  # somebody else removed it
                    if path.is_file():
                        stat = path.lstat()
                        seen = max(stat.st_mtime, self._shown.get(path, 0.0))
                        yield _File(path, stat.st_size, seen, visitor)

    def _remove(self, files: Iterable[_File]) -> None:
        for file in files:
            with contextlib.suppress(OSError):
                file.path.unlink()
            for folder in file.path.parents:
                if folder == self._output or folder in self._writing:
                    break
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()

    def _forget(self) -> None:
        self._shown = {
            path: shown for path, shown in dict(self._shown).items() if time.time() - shown < _SAFE[0]
        }
