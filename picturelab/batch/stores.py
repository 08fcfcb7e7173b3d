"""Where pictures and manifest go: a local or shared folder, or an object store behind an fsspec URL."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import fsspec
from filelock import FileLock, Timeout

from ..files import write_whole
from . import manifest
from .manifest import Entry, Record

MANIFEST = "manifest.jsonl"
PLAN = "plan.json"
ENCODINGS = ".encodings"
_LOCK = ".lock"
_HOLDER = ".holder"  # whose run it is; the lock itself is emptied by whoever tries it
_PATIENCE = 0.5  # seconds: `fouriscale status` holds the lock for a moment
_PART = re.compile(r"\..+\.part")


class Store(Protocol):
    """Where a batch is kept.

    Attributes:
        address: what `open_store` makes it from, in this process or another.
        local: whether it is a folder of a file system.
    """

    address: str
    local: bool

    def begin(self, wait: bool) -> contextlib.AbstractContextManager[None]:
        """Hold it for one run.

        Raises:
            ValueError: it cannot be written, or another run holds it and we don't `wait`.
        """

    def busy(self) -> bool | None:
        """Whether a run holds it; None: it cannot tell."""

    def record(self) -> Record: ...

    def append(self, name: str, entries: list[Entry]) -> None:
        """Note what became of jobs, so that it outlives a crash. `name` says which they are, for stores
        that keep one object a note."""

    def read(self, name: str) -> bytes | None: ...

    def write(self, name: str, content: bytes) -> None:
        """A file with all of its content or not at all."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is there, by name."""


def open_store(address: str) -> Store:
    """The store of a path or of an fsspec URL such as s3://bucket/folder; nothing is made yet.

    Raises:
        ValueError: the URL is of no known kind, or its package is missing.
    """
    if re.match(r"[a-z][a-z0-9+]+://", address) and not address.startswith(("file://", "local://")):
        return Objects(address)
    return Folder(Path(re.sub(r"^(file|local)://", "", address)))


class Folder:
    """A folder. The lock falls with the process that holds it; the manifest is only ever appended to."""

    local = True

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = str(self.path)

    @contextlib.contextmanager
    def begin(self, wait: bool) -> Iterator[None]:
        lock = FileLock(self.path / _LOCK)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=-1 if wait else _PATIENCE)
        except Timeout:
            holder = (self.read(_HOLDER) or b"another process").decode()
            raise ValueError(
                f"{self.path} is in use by {holder}; wait for it with --wait, or name another folder"
            ) from None
        except OSError as error:
            raise ValueError(f"{self.path} cannot be written ({error.strerror or error})") from None
        with lock:
            for file in os.scandir(self.path):
                if _PART.fullmatch(file.name):  # left by a crash
                    os.unlink(file.path)
            try:
                self._mend()
                self.write(_HOLDER, whereabouts().encode())
            except OSError as error:
                raise ValueError(f"{self.path} cannot be written ({error.strerror or error})") from None
            yield

    def busy(self) -> bool | None:
        lock = FileLock(self.path / _LOCK)
        if not (self.path / _LOCK).exists():
            return False
        try:
            with lock.acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # we may look, but not touch
            return None

    def record(self) -> Record:
        path = self.path / MANIFEST
        if not path.exists():
            return Record()
        with path.open("rb") as stream:
            return manifest.read(stream)

    def append(self, name: str, entries: list[Entry]) -> None:
        with (self.path / MANIFEST).open("ab", buffering=0) as stream:
            end = stream.seek(0, os.SEEK_END)
            try:
                content = memoryview(manifest.encoded(entries))
                while content:
                    content = content[stream.write(content) :]
                os.fsync(stream.fileno())
            except OSError:
                with contextlib.suppress(OSError):  # a full disk may have taken half a line
                    stream.truncate(end)
                raise

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self.path.stat()  # a folder that is gone, such as an unmounted disk, is not made anew
        write_whole(self.path / name, content, sync=True)

    def sizes(self) -> dict[str, int]:
        if not self.path.is_dir():
            return {}
        with os.scandir(self.path) as files:
            return {file.name: file.stat().st_size for file in files if file.is_file()}

    def _mend(self) -> None:
        """Close a last line that a crash has cut short, so that the next one stands alone."""
        path = self.path / MANIFEST
        if not path.exists() or not path.stat().st_size:
            return
        with path.open("rb+") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")


class Objects:
    """An object store. It has no lock and no appending: one immutable part of the manifest per note.

    Whoever starts two runs on one address pays twice, but gets the same pictures.
    """

    local = False

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{address} cannot be opened ({error})") from None

    @contextlib.contextmanager
    def begin(self, wait: bool) -> Iterator[None]:
        yield

    def busy(self) -> bool | None:
        return None

    def record(self) -> Record:
        parts = self._list("manifest")
        content = self._files.cat(sorted(parts)) if parts else {}
        return manifest.read(line for name in sorted(content) for line in content[name].splitlines())

    def append(self, name: str, entries: list[Entry]) -> None:
        self.write(f"manifest/{name}.jsonl", manifest.encoded(entries))

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        self._files.pipe_file(f"{self._root}/{name}", content)

    def sizes(self) -> dict[str, int]:
        return {name.rsplit("/", 1)[-1]: details["size"] for name, details in self._list("").items()}

    def _list(self, folder: str) -> dict[str, Any]:
        path = f"{self._root}/{folder}".rstrip("/")
        self._files.invalidate_cache()
        if not self._files.exists(path):
            return {}
        return {
            entry["name"]: entry for entry in self._files.ls(path, detail=True) if entry["type"] == "file"
        }


def whereabouts() -> str:
    """Host and process, as the manifest names workers."""
    return f"{socket.gethostname()}:{os.getpid()}"
