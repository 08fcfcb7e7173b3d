"""Work in the background, one piece at a time: a runner whose jobs outlive the page that asked for them.

Knows nothing of pages: a browser finds its job again by the owner's name.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from picturelab.remarks import passing_remarks

from ..errors import sentence

State = Literal["waiting", "running", "done", "failed", "cancelled"]
_log = logging.getLogger(__name__)
_LOOK = 0.5  # seconds between two looks at who has gone


class Cancelled(Exception):  # noqa: N818 (no error: somebody asked for it)
    """Raised inside a job's work once the job is cancelled."""


@dataclass
class PageJob:
    """One piece of work. The runner's thread writes, everybody reads.

    Attributes:
        owner, kind: who asked for it, and what it is, as the one who asked names both.
        group: with whom its owner shares a limit; "" has none.
        is_wanted: whether somebody still waits for it; it is cancelled once nobody does.
        state: finished jobs are "done", "failed" or "cancelled".
        done, of, note: progress in steps, and what is being done.
        previews: pictures made on the way, with a label each, oldest first.
        result: what the work returned.
        error: a sentence; "" unless failed.
        remarks: sentences for the one who asked, such as that a prompt was cut.
        version: grows with every change, so that a watcher can tell whether there is news.
        seconds: since it began to run, and in all once it is finished.
    """

    work: Callable[[PageJob], Any] = field(repr=False)
    owner: str
    kind: str
    group: str = ""
    is_wanted: Callable[[], bool] = field(default=lambda: True, repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    done: int = 0
    of: int = 0
    note: str = ""
    previews: list[tuple[Any, str]] = field(default_factory=list)
    result: Any = None
    error: str = ""
    remarks: list[str] = field(default_factory=list)
    version: int = 0
    _begun: float = 0.0
    _ended: float = 0.0
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)
    _finished: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    @property
    def seconds(self) -> float:
        return (self._ended or time.monotonic()) - self._begun if self._begun else 0.0

    def check(self) -> None:
        """To be called by the work wherever it can stop.

        Raises:
            Cancelled: the job was cancelled.
        """
        if self._cancel.is_set():
            raise Cancelled

    def report(self, done: int, of: int, note: str = "") -> None:
        """Progress, from inside the work.

        Raises:
            Cancelled: the job was cancelled.
        """
        self.check()
        self.done, self.of, self.note = done, of, note
        self.version += 1

    def add_preview(self, picture: Any, label: str) -> None:
        """One more preview, from inside the work."""
        self.previews.append((picture, label))
        self.version += 1

    def wait(self, seconds: float | None = None) -> bool:
        """Until it is finished; False if that takes longer than `seconds`."""
        return self._finished.wait(seconds)


class Runner:
    """Runs the jobs of one device in the order they came, in a thread of its own.

    Args:
        most_waiting: jobs that may wait; one more is refused.
        most_finished: finished jobs that are remembered.
        most_of_a_group: unfinished jobs of one group.
        after_job: is called in the runner's thread after each job.
    """

    def __init__(
        self,
        most_waiting: int = 8,
        most_finished: int = 64,
        *,
        most_of_a_group: int = 4,
        after_job: Callable[[], None] = lambda: None,
    ) -> None:
        self._most_waiting, self._most_finished = most_waiting, most_finished
        self._most_of_a_group, self._after_job = most_of_a_group, after_job
        self._waiting: deque[PageJob] = deque()
        self._running: PageJob | None = None
        self._jobs: OrderedDict[str, PageJob] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
        self._thread.start()
        self._watcher = threading.Thread(target=self._watch, name="wanted jobs", daemon=True)
        self._watcher.start()

    def submit(
        self,
        work: Callable[[PageJob], Any],
        *,
        owner: str = "",
        kind: str = "",
        group: str = "",
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
            if len(self._waiting) >= self._most_waiting:
                raise ValueError(f"{len(self._waiting)} jobs are waiting, the most here: try again later")
            job = PageJob(work, owner, kind, group, is_wanted)
            self._jobs[job.id] = job
            self._waiting.append(job)
            self._forget()
            self._changed.notify_all()
            return job

    def newest(self, owner: str, kind: str) -> PageJob | None:
        """The owner's latest job of this kind, finished or not."""
        with self._changed:
            return next(iter(self._of(owner, kind)), None) if owner else None

    def position(self, job: PageJob) -> int:
        """How many jobs come before it; 0 once it runs."""
        with self._changed:
            if job not in self._waiting:
                return 0
            return self._waiting.index(job) + (self._running is not None)

    def cancel(self, job: PageJob) -> None:
        """Stop it: at once while it waits, at its next step while it runs. Finished jobs stay as they are."""
        with self._changed:
            job._cancel.set()
            if job in self._waiting:
                self._waiting.remove(job)
                self._finish(job, "cancelled")
            elif not job.finished:
                job.note = "stopping"
                job.version += 1

    def close(self) -> None:
        """Cancel everything and let the thread end."""
        with self._changed:
            self._closed = True
            jobs = [*self._waiting, *([self._running] if self._running else [])]
            self._changed.notify_all()
        for job in jobs:
            self.cancel(job)
        self._thread.join()
        self._watcher.join()

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

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job = self._running = self._waiting.popleft()
                job.state, job._begun = "running", time.monotonic()
                job.version += 1
            state = _carry_out(job)
            with self._changed:
                self._running = None
                self._finish(job, state)
            try:
                self._after_job()
            except Exception:  # the next job has nothing to do with it
                _log.exception("what follows each job failed")

    def _finish(self, job: PageJob, state: State) -> None:
        job.state, job._ended = state, time.monotonic()
        job.version += 1
        job.work = _nothing  # it may hold a picture or a model
        job._finished.set()


def _carry_out(job: PageJob) -> State:
    """Do a job's work; how it ended."""
    thread = threading.get_ident()

    def note(remark: str) -> None:
        # Another thread's remark is about another visitor's prompt.
        if threading.get_ident() == thread and remark not in job.remarks:
            job.remarks.append(remark)

    try:
        job.check()
        with passing_remarks(note):
            job.result = job.work(job)
    except Cancelled:
        return "cancelled"
    except Exception as error:
        job.error = sentence(error)
        return "failed"
    return "done"


def _nothing(_: PageJob) -> None:
    return None


def _always() -> bool:
    return True
