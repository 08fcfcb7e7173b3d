"""A quota for the output folder: the oldest files go first, and never what is being written or was just shown."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CACHE = ".cache"  # below the output folder: copies of what was shown, and uploads
# Folders of visitors; other things in the output folder are left alone.
_VISITORS = re.compile(rf"[0-9a-f]{{32}}|{re.escape(CACHE)}")
_SAFE = (600.0, 30.0)  # seconds for which a file stays; the second where the first leaves too much
_PAUSE = 3.0  # seconds that `tidy_soon` waits: many may ask meanwhile
_log = logging.getLogger(__name__)


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
    """

    def __init__(self, output: Path, most: int, most_of_a_visitor: int) -> None:
        self._output, self._most, self._most_of_a_visitor = output.resolve(), most, most_of_a_visitor
        self._addresses: dict[str, str] = {}  # {a visitor's folder: where it asks from}
        self._shown: dict[Path, float] = {}
        self._writing: list[Path] = []
        self._lock = threading.Lock()  # of a look at all files
        self._names = threading.Lock()  # of `_writing` and `_addresses`, held for a moment only
        self._planned: threading.Timer | None = None

    @contextmanager
    def writing(self, folder: Path, address: str = "") -> Iterator[None]:
        """A `with` block during which nothing in a folder goes.

        Args:
            address: where its visitor asks from; the folders of one address are one visitor's.
        """
        with self._names:
            self._writing.append(folder)
            if address:
                self._addresses[folder.relative_to(self._output).parts[0]] = address
        try:
            yield
        finally:
            with self._names:
                self._writing.remove(folder)

    def note_shown(self, path: Path) -> None:
        """A file is being shown now."""
        self._shown[path] = time.time()

    def tidy_soon(self) -> None:
        """Have it tidied in a few seconds, in a thread of its own, once for all who ask until then."""
        with self._names:
            if self._planned is None:
                self._planned = threading.Timer(_PAUSE, self._tidy_as_planned)
                self._planned.daemon = True
                self._planned.start()

    def _tidy_as_planned(self) -> None:
        with self._names:
            self._planned = None
        try:
            self.tidy()
        except Exception:
            _log.exception("the output folder could not be tidied")

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
        _, tops, _ = next(os.walk(self._output), ("", [], []))
        for top in filter(_VISITORS.fullmatch, tops):
            visitor = self._addresses.get(top, top)
            for folder, _, names in os.walk(self._output / top):  # passes over what cannot be read
                for path in (Path(folder, name) for name in names):
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
        with self._names:
            busy = {folder.relative_to(self._output).parts[0] for folder in self._writing}
            self._addresses = {
                name: address
                for name, address in self._addresses.items()
                if name in busy or os.path.isdir(self._output / name)
            }
        self._shown = {
            path: shown for path, shown in dict(self._shown).items() if time.time() - shown < _SAFE[0]
        }
