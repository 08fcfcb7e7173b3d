"""Where pictures and manifest go: a local or shared folder, or an object store behind an fsspec URL."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import fsspec
from filelock import FileLock, Timeout

from ..failures import printable, reason, told_as
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

    def record(self) -> Record:
        """What became of jobs.

        Raises:
            ValueError: it cannot be read.
        """

    def append(self, name: str, entries: list[Entry]) -> None:
        """Note what became of jobs, after what was noted before, so that it outlives a crash.

        Args:
            name: says which they are, for stores that keep one object a note.

        Raises:
            OSError: it cannot be written.
        """

    def read(self, name: str) -> bytes | None:
        """What a file holds; None: it is not there.

        Raises:
            ValueError: it cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """A file with all of its content or not at all.

        Raises:
            OSError: it cannot be written.
        """

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is there, by name.

        Raises:
            ValueError: they cannot be listed.
        """

    def obstacles(self) -> list[str]:
        """Names at which no file can be written, since a folder or a device stands there."""


def open_store(address: str) -> Store:
    """The store of a path or of an fsspec URL such as s3://bucket/folder; nothing is made yet.

    Raises:
        ValueError: the address is no path of a folder and no URL of a known kind, or its package is missing.
    """
    check_address(address)
    if re.match(r"[a-z][a-z0-9+]+://", address) and not address.startswith(("file://", "local://")):
        return Objects(address)
    return Folder(Path(re.sub(r"^(file|local)://", "", address)))


def read_plan_note(store: Store) -> dict[str, Any] | None:
    """plan.json as it was written; None: it is lost or damaged."""
    try:
        note = json.loads(store.read(PLAN) or b"")
        return dict(note) if isinstance(note["plan"], str) and isinstance(note["total"], int) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def picture_file(store: Store, entry: Entry) -> tuple[bytes | None, str | None]:
    """What an entry's file holds, and its sha256 or "unreadable"; both None where it is not there."""
    try:
        content = store.read(entry.file or "")
    except ValueError:
        return None, "unreadable"
    return content, None if content is None else hashlib.sha256(content).hexdigest()


class Folder:
    """A folder. The lock falls with the process that holds it; the manifest is only ever appended to."""

    local = True

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = str(self.path)

    @contextlib.contextmanager
    def begin(self, wait: bool) -> Iterator[None]:
        lock = FileLock(self.path / _LOCK)
        with writing(self):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=-1 if wait else _PATIENCE)
            except Timeout:
                holder = (self.read(_HOLDER) or b"another process").decode()
                raise ValueError(
                    f"{self.path} is in use by {holder}; wait for it with --wait, or name another folder"
                ) from None
        with lock:
            with writing(self):
                for file in os.scandir(self.path):
                    if _PART.fullmatch(file.name):  # left by a crash
                        os.unlink(file.path)
                self._mend()
                self.write(_HOLDER, whereabouts().encode())
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
        with told_as(f"{path} cannot be read", OSError):
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
        with told_as(f"{self.path / name} cannot be read", OSError):
            try:
                return (self.path / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def write(self, name: str, content: bytes) -> None:
        self.path.stat()  # a folder that is gone, such as an unmounted disk, is not made anew
        write_whole(self.path / name, content, sync=True)

    def sizes(self) -> dict[str, int]:
        if not self.path.is_dir():
            return {}
        with told_as(f"{self.path} cannot be read", OSError), os.scandir(self.path) as files:
            return {file.name: file.stat().st_size for file in files if os.path.isfile(file.path)}

    def obstacles(self) -> list[str]:
        if not self.path.is_dir():
            return []
        with told_as(f"{self.path} cannot be read", OSError), os.scandir(self.path) as files:
            return [
                file.name
                for file in files
                if not file.is_symlink() and not file.is_file(follow_symlinks=False)
            ]

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

    Parts are in the order of their numbers, whatever the clock says. Whoever starts two runs on one address pays
    twice, but gets the same pictures.
    """

    local = False

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        with told_as(f"{address} cannot be opened"):
            self._files, self._root = fsspec.core.url_to_fs(self.address)
        self._number: int | None = None  # of the latest part

    @contextlib.contextmanager
    def begin(self, wait: bool) -> Iterator[None]:
        yield

    def busy(self) -> bool | None:
        return None

    def record(self) -> Record:
        with told_as(f"{self.address} cannot be read"):
            parts = self._list("manifest")
            content = self._files.cat(sorted(parts)) if parts else {}
        return manifest.read(line for name in sorted(content) for line in content[name].splitlines())

    def append(self, name: str, entries: list[Entry]) -> None:
        if self._number is None:
            with _as_os_error():
                parts = self._list("manifest")
            numbers = (re.match(r"\d+", part.rsplit("/", 1)[-1]) for part in parts)
            self._number = max((int(number[0]) for number in numbers if number), default=0)
        self._number += 1
        # The token keeps the parts of two runs apart, which may have the same number.
        part = f"{self._number:020d}-{name}-{secrets.token_hex(4)}"
        self.write(f"manifest/{part}.jsonl", manifest.encoded(entries))

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None
        except Exception as error:  # of whatever kind the store's package has
            raise ValueError(f"{self.address}/{name} cannot be read ({reason(error)})") from None

    def write(self, name: str, content: bytes) -> None:
        with _as_os_error():
            self._files.pipe_file(f"{self._root}/{name}", content)

    def sizes(self) -> dict[str, int]:
        with told_as(f"{self.address} cannot be read"):
            return {name.rsplit("/", 1)[-1]: details["size"] for name, details in self._list("").items()}

    def obstacles(self) -> list[str]:
        return []

    def _list(self, folder: str) -> dict[str, Any]:
        path = f"{self._root}/{folder}".rstrip("/")
        self._files.invalidate_cache()
        if not self._files.exists(path):
            return {}
        return {
            entry["name"]: entry for entry in self._files.ls(path, detail=True) if entry["type"] == "file"
        }


def check_address(address: str) -> None:
    """Refuse what is neither a path of a folder nor a URL.

    Raises:
        ValueError: it looks like a URL and is none, or names a file.
    """
    shown, example = repr(printable(address)), "a folder, or a URL such as s3://bucket/folder"
    if not address.strip() or printable(address) != address:
        raise ValueError(f"{shown} is no place for a batch; give {example}")
    if "://" in address and not re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", address):
        raise ValueError(f"{shown} is no URL, which begins with its protocol; give {example}")
    scheme, colon, rest = address.partition(":")
    known = fsspec.available_protocols()
    if colon and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]+", scheme) and not os.path.exists(address):
        usual = re.match(r"//[^/]", rest) or (scheme in ("file", "local") and re.match(r"///[^/]", rest))
        if not usual and (rest.startswith("/") or scheme.lower() in known):
            raise ValueError(f"{shown} is no URL, which has two slashes after the colon; give {example}")
        if rest.startswith("//") and scheme not in known:
            close = f" (did you mean {scheme.lower()}://?)" if scheme.lower() in known else ""
            raise ValueError(
                f"{address} cannot be opened: there is no protocol {scheme!r}{close}; give {example}"
            )
    scheme, slashes, _ = address.partition("//")
    if slashes and scheme in known and not os.path.isdir(scheme):
        raise ValueError(f"{shown} is no URL, which has a colon before the slashes; give {example}")
    path = re.sub(r"^(file|local)://", "", address)
    if os.path.lexists(path) and not os.path.isdir(path):
        raise ValueError(f"{path} is a file, where a batch has a folder; give {example}")


@contextlib.contextmanager
def writing(store: Store) -> Iterator[None]:
    """The one sentence of what is written to a store before and after its pictures.

    Raises:
        ValueError: it cannot be written.
    """
    with told_as(f"{store.address} cannot be written", OSError):
        yield


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """What the packages of object stores raise, as what folders raise."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(reason(error)) from error


def whereabouts() -> str:
    """Host and process, as the manifest names workers."""
    return f"{socket.gethostname()}:{os.getpid()}"
