"""A folder of pictures that somebody gives. Needs no torch, so that a wrong one is refused at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from picturelab.failures import printable, told_as
from picturelab.files import sha256
from picturelab.formats import SUFFIXES
from picturelab.pictures import size_of

from . import GROUPS


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder, by name.

    Raises:
        ValueError: it is none, cannot be read, or holds fewer than one picture a group.
    """
    name = printable(str(folder))
    with told_as(f"{name} cannot be read", OSError, ValueError):
        is_folder = folder.is_dir()
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES) if is_folder else []
    if not is_folder:
        raise ValueError(f"pictures={name}: is no folder; give one that holds pictures")
    if len(files) < GROUPS:
        raise ValueError(
            f"pictures={name}: holds {len(files)} pictures; give a folder with {GROUPS} or more that end in "
            f"{', '.join(SUFFIXES)}"
        )
    for file in files:
        size_of(file)
    return files


def fingerprint(files: Sequence[Path]) -> str:
    """Of the content of files in their order.

    Raises:
        ValueError: one cannot be read.
    """
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()[:16]
