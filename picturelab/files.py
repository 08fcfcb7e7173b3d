"""Files that are there with all of their content or not at all, and the folder of files that we ship."""

from __future__ import annotations

import contextlib
import os
import secrets
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
