"""Whether a batch's pictures are what they were: `fouriscale verify`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..formats import SUFFIXES
from .manifest import Entry, of_status
from .progress import recorded
from .sheet import SHEET
from .stores import Store, picture_file

_READERS = 8  # threads that hash


@dataclass(frozen=True)
class FileCheck:
    """Pictures against the manifest.

    Attributes:
        good: how many are what they were.
        missing, changed: entries whose file is not there; or is another, or nothing that can be read.
        strangers: pictures that the manifest does not know.
    """

    good: int
    missing: tuple[Entry, ...]
    changed: tuple[Entry, ...]
    strangers: tuple[str, ...]
    damaged: int


def check_files(store: Store) -> FileCheck:
    """Read every picture and compare its hash.

    Raises:
        ValueError: the store holds no batch.
    """
    record, _ = recorded(store)
    done = list(of_status(record, "done"))
    with ThreadPoolExecutor(_READERS) as pool:
        hashes = list(pool.map(lambda entry: picture_file(store, entry)[1], done))
    pairs = list(zip(done, hashes, strict=True))
    known = {entry.file for entry in record.entries.values()} | {SHEET}
    return FileCheck(
        good=sum(entry.sha256 == now for entry, now in pairs),
        missing=tuple(entry for entry, now in pairs if now is None),
        changed=tuple(entry for entry, now in pairs if now not in (None, entry.sha256)),
        strangers=tuple(
            sorted(name for name in store.sizes() if name.endswith(SUFFIXES) and name not in known)
        ),
        damaged=record.damaged,
    )
