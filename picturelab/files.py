"""Files that are written: under which name, and with all of their content or not at all; and those that we ship."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

from .failures import printable, reason, told_as
from .formats import PNG, PictureFormat, format_of
from .settings import shortened

_NAME_BYTES, _PATH_BYTES = 255, 4096  # as most disks and Linux have it
_PART_BYTES = 15  # what a file's name is longer by while it is written


def write_whole(path: Path, content: str | bytes, *, sync: bool = False) -> None:
    """Write a file with all of its content or not at all, whenever the program is killed. Missing folders are made.

    Args:
        content: text is written as UTF-8.
        sync: have it on the disk before this returns, so that a power cut cannot undo it.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of its own name, so that two writers of one file do not mix; beside it, so that renaming is atomic.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if sync:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(part, path)
        if sync:
            _sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def output_file(
    out: Path, name: str, formats: Sequence[PictureFormat] = (PNG,), wanted: PictureFormat | None = None
) -> Path:
    """The file to write: `out` itself if it ends as pictures do, or else a file called `name` in the folder `out`.

    Args:
        formats: those that can be written.
        wanted: the one that is asked for; None: what `out` ends in, or else PNG.

    Raises:
        ValueError: it could not be written there.
    """
    _check_names(out, 0)
    is_file = bool(out.suffix) and not out.is_dir()
    if is_file:
        kind = format_of(out, formats, ", or a folder")
        if wanted not in (None, kind):
            raise ValueError(
                f"{out} is named as {kind.title}, and the format is to be {wanted.name!r}: "
                "name another file, or leave the format out"
            )
    path = out if is_file else out / f"{name}{(wanted or PNG).suffixes[0]}"
    _check_names(path, _PART_BYTES)
    if path.is_dir():
        raise ValueError(f"{path} cannot be written (it is a folder); name another file or folder")
    check_writable(path.parent, path)
    return path


def check_writable(folder: Path, target: Path) -> None:
    """Can files be written into a folder, or can it be made? Nothing is left behind.

    Args:
        target: what the message calls it: the folder, or a file in it.

    Raises:
        ValueError: they cannot.
    """
    absolute = folder.absolute()
    there = next(place for place in (absolute, *absolute.parents) if os.path.lexists(place))
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ValueError(
            f"{target} cannot be written ({reason(error)}: {there}); name another file or folder"
        ) from None


def sha256(path: Path) -> str:
    """The hash of all bytes of a file, in hexadecimal.

    Raises:
        ValueError: it cannot be read.
    """
    with told_as(f"{printable(str(path))} cannot be read", OSError), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_names(path: Path, more: int) -> None:
    """Is a path's every part a name that a disk takes?

    Args:
        more: bytes that the last one needs besides.

    Raises:
        ValueError: one is none.
    """
    shown = printable(shortened(str(path), 300))
    try:
        lengths = [len(os.fsencode(part)) for part in (*path.parts, str(path.absolute()))]
    except UnicodeEncodeError:
        raise ValueError(f"{shown} cannot be written (the name is no text); name another file") from None
    if any(unicodedata.category(letter) == "Cc" for letter in str(path)):
        raise ValueError(f"{shown} cannot be written (the name holds control characters); name another file")
    if os.name == "nt" and PureWindowsPath(path).is_reserved():
        raise ValueError(f"{shown} cannot be written (the name is Windows' own); name another file")
    *folders, last, whole = [0, *lengths]
    if max(*folders, last + more) > _NAME_BYTES or whole + more > _PATH_BYTES:
        raise ValueError(
            f"{shown} cannot be written (a name has {_NAME_BYTES - _PART_BYTES} bytes and a path "
            f"{_PATH_BYTES - _PART_BYTES} bytes at most); name another file"
        )


def slug(prompt: str) -> str:
    """A file name's worth of a prompt: its words, 60 letters and 180 bytes of them at most."""
    words = "-".join(re.findall(r"\w+", prompt.lower()))[:60]
    return words.encode()[:180].decode(errors="ignore") or "picture"  # names are bounded in bytes


def configs_folder() -> Path:
    """Presets, studies and prompts: inside the package when installed from a wheel, beside it in a source tree."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _sync_folder(folder: Path) -> None:
    """The folder's own entry, without which a power cut may undo a rename."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
