"""What became of each job: the lines of a manifest. The last line about a job counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

Status = Literal["done", "failed", "bad", "lost"]


class Entry(BaseModel):
    """One line.

    Attributes:
        status: "done"; "failed" while it was made; "bad" in the jobs file, left out by --skip-bad; "lost", found
            damaged by `fouriscale verify --redo` and to be made again.
        bytes, sha256: of the file.
        seconds: that the denoiser took, its batch's divided by its size.
        peak_memory: bytes; of the accelerator while its batch ran, or of the process so far.
        worker: host and process.
        group: of the plan.
        fits: pictures at once that fitted into memory, where its whole group did not.
        finished: Unix time.
        error: why it failed.
    """

    model_config = ConfigDict(extra="ignore")

    id: str
    status: Status
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    worker: str | None = None
    group: int | None = None
    fits: int | None = None
    finished: float = 0.0
    error: str | None = None

    def line(self) -> str:
        return self.model_dump_json(exclude_none=True) + "\n"


@dataclass
class Record:
    """A manifest as a whole: the last entry of each job, and how many lines could not be read."""

    entries: dict[str, Entry] = field(default_factory=dict)
    damaged: int = 0

    def count(self, status: Status) -> int:
        return sum(entry.status == status for entry in self.entries.values())


def read(lines: Iterable[bytes]) -> Record:
    """A manifest from its lines. One that a crash has cut short is counted and otherwise ignored."""
    record = Record()
    for line in lines:
        if not line.strip():
            continue
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            record.damaged += 1
            continue
        record.entries[entry.id] = entry
    return record


def encoded(entries: Iterable[Entry]) -> bytes:
    return "".join(entry.line() for entry in entries).encode()


def of_status(record: Record, status: Status) -> Iterator[Entry]:
    return (entry for entry in record.entries.values() if entry.status == status)
