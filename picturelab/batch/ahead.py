"""Texts before pictures: which prompts are encoded before which groups, in chunks that fit the cache."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .encodings import ROOM
from .jobs import Job

TEXTS = 64  # prompts of a unit that encodes
_GROUPS = 4096  # that wait for their texts at most, as few texts may be those of millions
_UNKNOWN = 4 * TEXTS  # prompts that are sent out before it is known how large an encoding is
_DECIDES = ("prompt", "negative_prompt", "guidance", "steps", "pad_text")  # of a job's encoding


@dataclass(frozen=True)
class Wanted:
    """A group of which something is to be made.

    Attributes:
        jobs: positions of those whose pictures are still to be written.
    """

    group: int
    jobs: frozenset[int]


@dataclass(frozen=True)
class Texts:
    """Jobs whose texts are to be encoded, and a group of which they are."""

    group: int
    jobs: tuple[Job, ...]


class TextsAhead:
    """Hands out groups, and before a chunk of them the texts that they need.

    A chunk is of one model, and ends where its encodings would fill the cache. Its groups come once all of its texts
    are encoded, and the next one's texts once its groups are handed out.

    Args:
        wanted: the groups, in order.
        jobs_of: a group's jobs.
        stays: whether a job's picture needs the text encoders, so that they are held and nothing is encoded ahead;
            None: so it is with all.
        room: bytes of a chunk's encodings.
    """

    def __init__(
        self,
        wanted: Iterator[Wanted],
        jobs_of: Callable[[int], tuple[Job, ...]],
        stays: Callable[[Job], bool] | None,
        room: int = ROOM,
    ) -> None:
        self._wanted, self._jobs_of, self._stays, self._room = wanted, jobs_of, stays, room
        self._next = next(wanted, None)
        self._ready: deque[Wanted] = deque()
        self._load: tuple[str, ...] | None = None  # of the chunk whose texts are handed out
        self._latest: tuple[str, ...] | None = None  # of it or the one before
        self._seen: set[tuple] = set()
        self._sent = self._back = self._bytes = 0  # texts handed out and encoded, and what those take up
        self._in_hand = 0

    def take(self) -> Texts | tuple[Wanted, bool] | None:
        """Texts to encode; or a group, and whether its texts are encoded; None: texts must be encoded first."""
        if self._load is None and not self._ready and self._next is not None:
            first = None if self._stays is None else self._jobs_of(self._next.group)[0]
            if first is None or self._held(first):
                return self._pop_next(), False
            self._load = _load(first)
            if self._load != self._latest or self._full(0):
                self._seen = set()
                self._sent = self._back = self._bytes = 0
            self._latest = self._load
        if self._load is not None:
            if self._back == 0 and self._sent >= _UNKNOWN:
                return None
            texts = self._texts()
            if texts is not None:
                self._in_hand += 1
                return texts
            self._load = None
        if self._in_hand or not self._ready:
            return None
        return self._ready.popleft(), True

    def encoded(self, texts: int, bytes: int) -> None:
        """Texts that were handed out have come back, with what their new encodings take up in the cache."""
        self._in_hand -= 1
        self._back += texts
        self._bytes += bytes

    def _texts(self) -> Texts | None:
        """The chunk's next texts; None: it has no more."""
        found: list[Job] = []
        group = -1
        while (
            self._next is not None
            and len(found) < TEXTS
            and len(self._ready) < _GROUPS
            and not self._full(len(found))
        ):
            jobs = self._jobs_of(self._next.group)
            if _load(jobs[0]) != self._load or self._held(jobs[0]):
                break
            group = self._next.group
            self._ready.append(self._pop_next())
            for job in jobs:
                key = tuple(getattr(job, name) for name in _DECIDES)
                if key not in self._seen:
                    self._seen.add(key)
                    found.append(job)
        self._sent += len(found)
        return Texts(group, tuple(found)) if found else None

    def _held(self, job: Job) -> bool:
        return self._stays is None or self._stays(job)

    def _full(self, more: int) -> bool:
        """Whether the chunk's encodings fill the cache, as far as is known."""
        each = self._bytes / self._back if self._back else 0.0
        return self._sent + more > 0 and (self._sent + more + 1) * each > self._room

    def _pop_next(self) -> Wanted:
        wanted, self._next = self._next, next(self._wanted, None)
        assert wanted is not None
        return wanted


def _load(job: Job) -> tuple[str, ...]:
    """What is loaded for a job."""
    return job.instrument, job.model
