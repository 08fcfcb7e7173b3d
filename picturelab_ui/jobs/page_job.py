"""One piece of work in the background: its progress, its result, and where it can be stopped."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from picturelab.remarks import passing_remarks

from ..errors import sentence

State = Literal["waiting", "running", "done", "failed", "cancelled"]


class Cancelled(Exception):  # noqa: N818 (no error: somebody asked for it)
    """Raised inside a job's work once the job is cancelled."""


@dataclass(eq=False)
class PageJob:
    """One piece of work. Its own thread writes, everybody reads.

    Attributes:
        owner, kind: who asked for it, and what it is, as the one who asked names both.
        group: with whom its owner shares a limit; "" has none.
        model: what it needs in memory; "" needs nothing.
        is_wanted: whether somebody still waits for it; it is cancelled once nobody does.
        state: finished jobs are "done", "failed" or "cancelled"; those that take turns are "running".
        done, of, note: progress in steps, and what is being done.
        previews: pictures made on the way, with a label each, oldest first.
        result: what the work returned.
        outcome: what there is to see of it so far, in words; "" says nothing.
        error: a sentence; "" unless failed.
        remarks: sentences for the one who asked, such as that a prompt was cut.
        version: grows with every change, so that a watcher can tell whether there is news.
        seconds: since its first turn began, and in all once it is finished; the turns of others count too.
        turn, overtaken: see `turns.Taker`.
    """

    work: Callable[[PageJob], Any] = field(repr=False)
    owner: str
    kind: str
    group: str = ""
    model: str = ""
    is_wanted: Callable[[], bool] = field(default=lambda: True, repr=False)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    done: int = 0
    of: int = 0
    note: str = ""
    previews: list[tuple[Any, str]] = field(default_factory=list)
    result: Any = None
    outcome: str = ""
    error: str = ""
    remarks: list[str] = field(default_factory=list)
    version: int = 0
    turn: int = 0
    overtaken: int = 0
    _begun: float = 0.0
    _ended: float = 0.0
    _cancel: threading.Event = field(default_factory=threading.Event, repr=False)
    _finished: threading.Event = field(default_factory=threading.Event, repr=False)
    _hand_on: Callable[[PageJob], None] = field(default=lambda _: None, repr=False)

    @property
    def visitor(self) -> str:
        """For whom it is: a browser, the programs of an address, or nobody else's."""
        return self.owner or self.group or self.id

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    @property
    def seconds(self) -> float:
        return (self._ended or time.monotonic()) - self._begun if self._begun else 0.0

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop, or has been stopped."""
        return self._cancel.is_set()

    def check(self) -> None:
        """To be called by the work wherever it can stop.

        Raises:
            Cancelled: the job was cancelled.
        """
        if self._cancel.is_set():
            raise Cancelled

    def hand_on(self) -> None:
        """To be called by the work between two steps: others may have their turns before it returns.

        Raises:
            Cancelled: the job was cancelled.
        """
        self.check()
        self._hand_on(self)

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

    def cancel(self) -> None:
        """Have it stop where it can. For the runner."""
        self._cancel.set()
        if self.state == "running":
            self.note = "stopping"
            self.version += 1

    def begin(self) -> None:
        """Its first turn begins. For the runner."""
        self.state, self._begun = "running", time.monotonic()

    def carry_out(self) -> State:
        """Do its work; how it ended. For the runner, which then calls `finish`."""
        thread = threading.get_ident()

        def note(remark: str) -> None:
            # Another thread's remark is about another visitor's prompt.
            if threading.get_ident() == thread and remark not in self.remarks:
                self.remarks.append(remark)

        try:
            self.check()
            with passing_remarks(note):
                self.result = self.work(self)
        except Cancelled:
            return "cancelled"
        except Exception as error:
            self.error = sentence(error)
            return "failed"
        return "done"

    def finish(self, state: State) -> None:
        """Tell all who wait for it that it has ended. For the runner."""
        self.state, self._ended = state, time.monotonic()
        self.version += 1
        self.work = _nothing  # it may hold a picture or a model
        self._finished.set()


def _nothing(_: PageJob) -> None:
    return None
