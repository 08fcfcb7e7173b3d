"""Where a long run writes: whether a folder will do, and whether a picture that lies there is the one meant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..failures import told_as
from ..files import check_writable
from ..recipes import chunk_of, values_of

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one letter and a colon is a drive


def check_folder(folder: Path) -> None:
    """Can a folder be written, or made? Nothing is left behind.

    Raises:
        ValueError: it cannot.
    """
    if _ADDRESS.match(str(folder)):
        raise ValueError(f"{folder} is an address; give a folder of this machine")
    with told_as(f"{folder} cannot be written", OSError):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; give an empty or a new folder")
    check_writable(folder, folder)


def is_whole(path: Path, chunk: str, recipe: Mapping[str, Any]) -> bool:
    """Whether a PNG is there, undamaged, and carries a recipe that says this.

    Reads the file and compares its checksums, and does not decode it: a hundred times as fast.

    Args:
        chunk: name of the PNG text chunk.
        recipe: what it says at least.
    """
    try:
        carried = values_of(chunk_of(path, chunk, checksums=True) or "")
    except Exception:  # Pillow raises OSError, SyntaxError, struct.error and more for damage
        return False
    wanted = json.loads(json.dumps(dict(recipe)))
    return all(name in carried and carried[name] == value for name, value in wanted.items())


def free_places(folder: Path) -> None:
    """Remove empty folders that stand where pieces and pictures of a run belong.

    Raises:
        ValueError: one is not empty, or cannot be removed.
    """
    for path in [*folder.glob("pieces/*.json"), *folder.glob("images/**/*.png")]:
        if path.is_dir() and not path.is_symlink():
            with told_as(f"{path} is a folder, and a file belongs there: move it away", OSError):
                path.rmdir()
