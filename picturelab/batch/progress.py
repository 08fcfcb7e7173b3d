"""How far a batch is: `fouriscale status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..failures import printable
from .manifest import Entry, Record, of_status
from .stores import MANIFEST, PLAN, Store, read_plan_note

_RECENT = 600  # seconds that the rate is taken over
_FAILURES = 20  # that are listed one by one


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        total: None: it is not known.
        notes: of the plan: what becomes of text encoders, and what groups of one text length save.
        rate: pictures a second, lately; None: too few to tell.
        running: None where the store cannot tell.
    """

    total: int | None
    done: int
    failed: int
    bad: int
    rate: float | None
    running: bool | None
    failures: tuple[Entry, ...]
    damaged: int
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(0, self.total - self.done - self.failed)

    def sentences(self) -> Iterator[str]:
        state = {True: "running", False: "not running", None: "whether it runs, this store cannot tell"}
        bad = f", {self.bad} bad in the jobs file" if self.bad else ""
        if self.total is None:
            yield f"{self.done} done, {self.failed} failed{bad}; {state[self.running]}"
            yield f"{PLAN} is lost or damaged, so it is not known how many are left: the batch's command makes it anew"
        else:
            yield (
                f"{self.done} of {self.total} done, {self.failed} failed, {self.left} left{bad}; "
                f"{state[self.running] if self.left else 'complete'}"
            )
        if self.rate and self.left:
            left = timedelta(seconds=round(self.left / self.rate))
            yield f"{self.rate:.2f} pictures a second lately, so {left} left"
        if self.left:  # how the texts are encoded is of no use once all pictures are there
            yield from self.notes
        if self.damaged:
            yield f"{self.damaged} lines of the manifest are damaged and were ignored"
        for entry in self.failures[:_FAILURES]:
            yield f"  {printable(entry.id)}: {printable(entry.error or '')}"
        if len(self.failures) > _FAILURES:
            yield f"  and {len(self.failures) - _FAILURES} more failures, in {MANIFEST}"


def progress(store: Store) -> BatchProgress:
    """How far the batch in a store is, also while it runs.

    Raises:
        ValueError: it holds none.
    """
    record, total = recorded(store)
    done = list(of_status(record, "done"))
    failures = (*of_status(record, "failed"), *of_status(record, "bad"))
    return BatchProgress(
        total=total,
        done=len(done),
        failed=record.count("failed"),
        bad=record.count("bad"),
        rate=_rate(done),
        running=store.busy(),
        failures=failures,
        damaged=record.damaged,
        notes=tuple(_notes(read_plan_note(store) or {})),
    )


def _notes(plan: Mapping[str, Any]) -> Iterator[str]:
    """What plan.json says of texts; nothing where an older version wrote it."""
    for model, fates in plan.get("text_encoders", {}).items():
        told = "; ".join(f"{fate} ({count:,} jobs)" for fate, count in fates.items())
        yield f"text encoders of {printable(model)}: {told}"
    if plan.get("text_lengths"):
        yield str(plan["text_lengths"])


def recorded(store: Store) -> tuple[Record, int | None]:
    """The manifest of the batch in a store, and how many jobs it was planned with; None: the plan is lost or damaged.

    Raises:
        ValueError: it holds no batch.
    """
    record, note = store.record(), read_plan_note(store)
    if note is None and not record.entries:
        raise ValueError(f"{store.address} holds no batch: there is no {PLAN}")
    return record, None if note is None else int(note["total"])


def _rate(done: list[Entry]) -> float | None:
    """Over the latest entries, which a run before the present one may have left behind."""
    times = sorted(entry.finished for entry in done)
    recent = [time for time in times if time >= times[-1] - _RECENT] if times else []
    if len(recent) < 2 or recent[-1] == recent[0]:
        return None
    return (len(recent) - 1) / (recent[-1] - recent[0])
