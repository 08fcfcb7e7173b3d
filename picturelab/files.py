"""Files that are written: under which name, and with all of their content or not at all; and those that we ship."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path


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


def output_file(out: Path, name: str) -> Path:
    """The file to write: `out` itself if it ends in .png, or else `name`.png in the folder `out`.

    Raises:
        ValueError: it could not be written there.
    """
    if out.suffix and out.suffix.lower() != ".png" and not out.is_dir():
        raise ValueError(f"{out}: pictures are written as PNG, so name a file that ends in .png, or a folder")
    path = out if out.suffix.lower() == ".png" and not out.is_dir() else out / f"{name}.png"
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return path
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror}: {there}); name another file or folder"
        ) from None


def slug(prompt: str) -> str:
    """A file name's worth of a prompt."""
    return "-".join(re.findall(r"\w+", prompt.lower()))[:60] or "picture"


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
