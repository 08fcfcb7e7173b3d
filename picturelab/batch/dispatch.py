"""Which group is made next, what becomes of it, and what to do when a worker dies."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .ahead import Texts, TextsAhead, Wanted
from .jobs import Job
from .manifest import Entry, Record
from .plan import GroupPlan
from .stores import Store

DEATHS = 2  # of its worker that a job may cause
LOST_CAUSE = 20  # workers that die one after another with nothing made in between


@dataclass(frozen=True)
class Unit:
    """A group on its way through a worker.

    Attributes:
        jobs: all of the group, as planned: what a picture looks like to the last bit depends on their number.
        wanted: positions of those whose pictures are still to be written.
        fits: pictures at once that fit into memory; None: all.
        deaths: workers that died with it in hand.
        contents: {name: hash} of the files and models that its jobs name, as the batch was checked.
        encodes: nothing is painted: its jobs' texts are encoded for the groups to come.
        encoded: its jobs' texts have been, so that the text encoders may be let go.
    """

    group: int
    kind: int
    jobs: tuple[Job, ...]
    wanted: frozenset[int]
    fits: int | None = None
    deaths: int = 0
    contents: Mapping[str, str] = field(default_factory=dict)
    encodes: bool = False
    encoded: bool = False

    @property
    def suspect(self) -> bool:
        """A worker has died with it: it goes to an idle one, alone, so that its next death tells."""
        return self.deaths > 0


@dataclass(frozen=True)
class Outcome:
    """What a worker made of a unit.

    Attributes:
        entries: one a wanted job; empty where the run was stopped before it began.
        fits: see `Unit`.
        busy: seconds that the denoiser worked.
        encoded: texts that the encoder had to read.
        bytes: that their encodings take up in the cache.
        broken: why the run cannot go on, such as a full disk.
    """

    entries: tuple[Entry, ...] = ()
    fits: int | None = None
    busy: float = 0.0
    encoded: int = 0
    bytes: int = 0
    broken: str | None = None


class Dispatcher:
    """Hands out units and writes the manifest. One for a run, in the process that was started.

    Args:
        stays: whether a job's picture needs the text encoders beside its encoding; None: they are held for all jobs,
            and nothing is encoded ahead.

    Attributes:
        done, failed: jobs, counted over all runs of the folder.
        broken: why the run cannot go on.
    """

    def __init__(
        self,
        plan: GroupPlan,
        store: Store,
        record: Record,
        retry: bool = False,
        stays: Callable[[Job], bool] | None = None,
    ) -> None:
        self._plan, self._store = plan, store
        sizes = store.sizes()
        self._settled = {
            entry.id
            for entry in record.entries.values()
            if (entry.status == "done" and entry.file in sizes and sizes[entry.file] == entry.bytes)
            or (entry.status == "failed" and not retry)
        }
        self._groups = {group.number: group for group in plan.groups}
        self._fits = {
            self._groups[entry.group].kind: entry.fits
            for entry in record.entries.values()
            if entry.fits is not None and entry.group in self._groups
        }
        self.failed = sum(record.entries[name].status == "failed" for name in self._settled)
        self.done = len(self._settled) - self.failed
        self._again: deque[Unit] = deque()
        self._ahead = TextsAhead(self._wanted(), lambda group: plan.jobs(self._groups[group]), stays)
        self._in_a_row = 0
        self.busy, self.encoded = 0.0, 0
        self.broken: str | None = None

    @property
    def left(self) -> int:
        """Jobs of which nothing has become anything yet."""
        return self._plan.total - self.done - self.failed

    def take(self, idle: bool) -> Unit | None:
        """The next unit for a worker.

        Args:
            idle: it has nothing in hand, so that it may be given a suspect.
        """
        if self._again and (idle or not self._again[0].suspect):
            return self._with_fits(self._again.popleft())
        next_one = self._ahead.take()
        if next_one is None:
            return None
        if isinstance(next_one, Texts):
            return self._unit(next_one.group, next_one.jobs, encodes=True)
        wanted, encoded = next_one
        jobs = self._plan.jobs(self._groups[wanted.group])
        return self._with_fits(self._unit(wanted.group, jobs, wanted=wanted.jobs, encoded=encoded))

    def finish(self, unit: Unit, outcome: Outcome) -> None:
        """Note what a worker has made.

        Raises:
            OSError: the manifest cannot be written.
        """
        self.busy += outcome.busy
        self.encoded += outcome.encoded
        self.broken = self.broken or outcome.broken
        if unit.encodes:
            self._ahead.encoded(len(unit.jobs), outcome.bytes)
            return
        if outcome.fits is not None:
            self._fits[unit.kind] = outcome.fits
        if outcome.entries:
            self._in_a_row = 0
            self._note(unit, list(outcome.entries))

    def died(self, units: list[Unit], reason: str) -> None:
        """A worker has died with these in hand: they are tried elsewhere, and set aside in the end."""
        self._in_a_row += 1
        if self._in_a_row >= LOST_CAUSE:
            self.broken = f"{LOST_CAUSE} workers died one after another, the last one so: {reason}"
        for unit in units:
            deaths = unit.deaths + 1
            if unit.encodes:  # its texts are encoded when their groups' turns come, which tells who kills
                self._ahead.encoded(len(unit.jobs), 0)
            elif deaths < DEATHS:
                self._again.append(replace(unit, deaths=deaths))
            elif len(unit.wanted) > 1:
                # One of them kills. Each alone, but beside copies of itself, so that its picture stays the same.
                self._again.extend(
                    replace(
                        unit, jobs=(unit.jobs[i],) * len(unit.jobs), wanted=frozenset({i}), deaths=deaths - 1
                    )
                    for i in sorted(unit.wanted)
                )
            else:
                (place,) = unit.wanted
                self._note(
                    unit,
                    [
                        Entry(
                            id=unit.jobs[place].id,
                            status="failed",
                            group=unit.group,
                            finished=time.time(),
                            error=f"set aside: its worker died {deaths} times ({reason})",
                        )
                    ],
                )

    def _note(self, unit: Unit, entries: list[Entry]) -> None:
        self._store.append(f"{unit.group:08d}", entries)
        for entry in entries:
            self.done += entry.status == "done"
            self.failed += entry.status == "failed"

    def _wanted(self) -> Iterator[Wanted]:
        """Groups of which something is still to be made."""
        for group in self._plan.groups:
            jobs = self._plan.jobs(group)
            wanted = frozenset(i for i, job in enumerate(jobs) if job.id not in self._settled)
            if wanted:
                yield Wanted(group.number, wanted)

    def _unit(
        self,
        group: int,
        jobs: tuple[Job, ...],
        wanted: frozenset[int] = frozenset(),
        encodes: bool = False,
        encoded: bool = False,
    ) -> Unit:
        kind, contents = self._groups[group].kind, self._plan.contents_of(jobs)
        return Unit(group, kind, jobs, wanted, contents=contents, encodes=encodes, encoded=encoded)

    def _with_fits(self, unit: Unit) -> Unit:
        return replace(unit, fits=self._fits.get(unit.kind, unit.fits))
