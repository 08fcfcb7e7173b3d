"""Work in the background, one step at a time: a runner whose jobs outlive the page that asked for them, and take turns.

Each job has a thread of its own, and one thread computes at a time: the one whose turn it is. Knows nothing of pages: a
browser finds its job again by the owner's name.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from picturelab.clock import standing_still

from .page_job import PageJob
from .turns import Rotation

_log = logging.getLogger(__name__)
_LOOK = 0.5  # seconds between two looks at who has gone
_TURN = 0.5  # seconds that a turn lasts at least, where others wait
_AT_ONCE = 8  # jobs that take turns; each holds its latents, and what it has drawn so far
MODELS = 2  # that are held in memory at once


class Standing(NamedTuple):
    """Where an unfinished job stands.

    Attributes:
        waits_for: its first "turn", a "place" among those that take turns, or room for its "model"; "" for none of
            these, for it has begun.
        before: turns or jobs before it.
        others: other jobs that take turns.
    """

    waits_for: Literal["", "turn", "place", "model"]
    before: int
    others: int


class Runner:
    """Runs the jobs of one device. They take turns, which they hand on themselves, see `PageJob.hand_on`.

    Args:
        most_waiting: jobs that may wait, for a turn or for their first one; one more is refused.
        most_finished: finished jobs that are remembered.
        most_of_a_group: unfinished jobs of one group.
        after_job: is called in the job's thread after each job.
        before_handing_on: is called in the job's thread where a turn may end.
        turn: seconds that a turn lasts at least, where others wait.
    """

    def __init__(
        self,
        most_waiting: int = 8,
        most_finished: int = 64,
        *,
        most_of_a_group: int = 4,
        after_job: Callable[[], None] = lambda: None,
        before_handing_on: Callable[[], None] = lambda: None,
        turn: float = _TURN,
    ) -> None:
        self._most_waiting, self._most_finished = most_waiting, most_finished
        self._most_of_a_group, self._after_job = most_of_a_group, after_job
        self._before_handing_on, self._least_turn = before_handing_on, turn
        self._rotation: Rotation[PageJob] = Rotation(_AT_ONCE, MODELS)
        self._waiting: list[PageJob] = []
        self._begun: list[PageJob] = []
        self._holder: PageJob | None = None  # whose turn it is
        self._turn_began = 0.0
        self._threads: list[threading.Thread] = []
        self._jobs: OrderedDict[str, PageJob] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._watcher = threading.Thread(target=self._watch, name="wanted jobs", daemon=True)
        self._watcher.start()

    def submit(
        self,
        work: Callable[[PageJob], Any],
        *,
        owner: str = "",
        kind: str = "",
        group: str = "",
        model: str = "",
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> PageJob:
        """Queue work, which is called with its job.

        Raises:
            ValueError: too many wait, the group has too many unfinished, or the owner's last job of this kind is not
                finished; "" owns nothing.
        """
        with self._changed:
            if owner and any(not job.finished for job in self._of(owner, kind)):
                raise ValueError("your last one is not finished: wait for it or cancel it")
            self._check_group(group)
            waiting = len(self._waiting) + len(self._begun) - 1
            if waiting >= self._most_waiting:
                raise ValueError(f"{waiting} jobs are waiting, the most here: try again later")
            job = PageJob(work, owner, kind, group, model, is_wanted, _hand_on=self._hand_on)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            if self._holder is None:
                self._give_turn()
            return job

    def newest(self, owner: str, kind: str) -> PageJob | None:
        """The owner's latest job of this kind, finished or not."""
        with self._changed:
            return next(iter(self._of(owner, kind)), None) if owner else None

    def standing(self, job: PageJob) -> Standing:
        """Where an unfinished job stands."""
        with self._changed:
            if job not in self._waiting:
                return Standing("", 0, len(self._begun) - (job in self._begun))
            others = len(self._begun)
            if self._rotation.lacks_room(job, self._begun):
                return Standing("model", 0, others)
            order = self._rotation.order(self._taking_turns(), self._waiting)
            ahead = order[: order.index(job)] if job in order else self._waiting[: self._waiting.index(job)]
            beginning = sum(one in self._waiting for one in ahead)
            if others + beginning >= _AT_ONCE or job not in order:
                return Standing("place", others + beginning, others)
            turns = sum(one is not self._holder for one in ahead) + (self._holder is not None)
            return Standing("turn", turns, others)

    def models(self) -> set[str]:
        """What the jobs that take turns need in memory."""
        with self._changed:
            return {job.model for job in self._begun if job.model}

    def cancel(self, job: PageJob) -> None:
        """Stop it: at once while it waits, at its next step in its turn. Finished jobs stay as they are."""
        with self._changed:
            job.cancel()
            if job in self._waiting:
                self._waiting.remove(job)
                job.finish("cancelled")
            self._changed.notify_all()

    def close(self) -> None:
        """Cancel everything and let the threads end."""
        with self._changed:
            self._closed = True
            jobs = [*self._waiting, *self._begun]
            self._changed.notify_all()
        for job in jobs:
            self.cancel(job)
        for thread in (*self._threads, self._watcher):
            thread.join()

    def _check_group(self, group: str) -> None:
        unfinished = sum(job.group == group and not job.finished for job in self._jobs.values())
        if group and unfinished >= self._most_of_a_group:
            raise ValueError(
                f"{unfinished} jobs from your address are not finished, the most here: wait for one or cancel one"
            )

    def _watch(self) -> None:
        """Cancel what nobody waits for any more."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed, timeout=_LOOK):
                    return
                unfinished = [job for job in self._jobs.values() if not job.finished]
            for job in unfinished:
                if not self._is_wanted(job):
                    self.cancel(job)

    def _is_wanted(self, job: PageJob) -> bool:
        try:
            return job.is_wanted()
        except Exception:  # other jobs are watched all the same
            _log.exception("nobody can tell whether a job is wanted; it goes on")
            job.is_wanted = _always
            return True

    def _of(self, owner: str, kind: str) -> Iterator[PageJob]:
        return (job for job in reversed(self._jobs.values()) if (job.owner, job.kind) == (owner, kind))

    def _forget(self) -> None:
        finished = [job.id for job in self._jobs.values() if job.finished]
        for name in finished[: max(0, len(finished) - self._most_finished)]:
            del self._jobs[name]

    def _taking_turns(self) -> list[PageJob]:
        """Those that have begun, and are not about to end."""
        return [job for job in self._begun if not job.cancelled]

    def _give_turn(self) -> None:
        """Whoever is next computes from now on. The lock is held, and it is nobody's turn."""
        order = [] if self._closed else self._rotation.order(self._taking_turns(), self._waiting)
        self._holder = next(iter(order), None)
        if self._holder is not None:
            self._rotation.give(self._holder, self._begun, self._waiting)
            self._turn_began = time.monotonic()
            if self._holder in self._waiting:
                self._begin(self._holder)
        self._changed.notify_all()

    def _begin(self, job: PageJob) -> None:
        self._waiting.remove(job)
        self._begun.append(job)
        job.begin()
        self._tell_all()
        thread = threading.Thread(target=self._serve, args=(job,), name="job", daemon=True)
        self._threads = [*filter(threading.Thread.is_alive, self._threads), thread]
        thread.start()

    def _hand_on(self, job: PageJob) -> None:
        """Let others compute, until it is the job's turn again."""
        if job is not self._holder or time.monotonic() - self._turn_began < self._least_turn:
            return
        self._before_handing_on()
        with self._changed, standing_still():
            self._give_turn()
            self._changed.wait_for(lambda: self._holder is job or job.cancelled)
        job.check()

    def _serve(self, job: PageJob) -> None:
        """A job's thread."""
        state = job.carry_out()
        with self._changed:
            self._begun.remove(job)
            job.finish(state)
            self._tell_all()
            if self._holder in (job, None):
                self._give_turn()
        try:
            self._after_job()
        except Exception:  # the next job has nothing to do with it
            _log.exception("what follows each job failed")

    def _tell_all(self) -> None:
        """How many take turns is news to all of them."""
        for job in self._begun:
            job.version += 1


def _always() -> bool:
    return True
