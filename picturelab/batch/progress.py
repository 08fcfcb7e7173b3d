"""How far a batch is: `fouriscale status`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from .manifest import Entry, Record, of_status
from .stores import MANIFEST, PLAN, Store

_RECENT = 600  # seconds that the rate is taken over
_FAILURES = 20  # that are listed one by one


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        rate: pictures a second, lately; None: too few to tell.
        running: None where the store cannot tell.
    """

    total: int
    done: int
    failed: int
    bad: int
    rate: float | None
    running: bool | None
    failures: tuple[Entry, ...]
    damaged: int

    @property
    def left(self) -> int:
        return max(0, self.total - self.done - self.failed)

    def sentences(self) -> Iterator[str]:
        state = {True: "running", False: "not running", None: "whether it runs, this store cannot tell"}
        yield (
            f"{self.done} of {self.total} done, {self.failed} failed, {self.left} left"
            + (f", {self.bad} bad in the jobs file" if self.bad else "")
            + f"; {'complete' if not self.left else state[self.running]}"
        )
        if self.rate and self.left:
            left = timedelta(seconds=round(self.left / self.rate))
            yield f"{self.rate:.2f} pictures a second lately, so {left} left"
        if self.damaged:
            yield f"{self.damaged} lines of the manifest are damaged and were ignored"
        for entry in self.failures[:_FAILURES]:
            yield f"  {entry.id}: {entry.error}"
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
    )


def recorded(store: Store) -> tuple[Record, int]:
    """The manifest of the batch in a store, and how many jobs it was planned with.

    Raises:
        ValueError: it holds no batch, or its plan is damaged.
    """
    content = store.read(PLAN)
    if content is None:
        raise ValueError(f"{store.address} holds no batch: there is no {PLAN}")
    try:
        return store.record(), int(json.loads(content)["total"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{store.address}/{PLAN} is damaged") from None


def _rate(done: list[Entry]) -> float | None:
    """Over the latest entries, which a run before the present one may have left behind."""
    times = sorted(entry.finished for entry in done)
    recent = [time for time in times if time >= times[-1] - _RECENT] if times else []
    if len(recent) < 2 or recent[-1] == recent[0]:
        return None
    return (len(recent) - 1) / (recent[-1] - recent[0])
