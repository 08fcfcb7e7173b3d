"""Models that hand on their job's turn, stop between two blocks once it is cancelled, and count its steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from picturelab.hooks.stop import after_each_call, before_each_block, before_each_call

from .page_job import PageJob


@contextmanager
def stoppable(model: Any, job: PageJob) -> Iterator[None]:
    """Hand on the job's turn before every call of a torch module, and ask before every block whether it is cancelled.

    Works for whatever calls the module.
    """
    with before_each_call(model, job.hand_on), before_each_block(model, job.check):
        yield


@contextmanager
def counted(model: Any, job: PageJob, of: int, note: str, first: int = 0) -> Iterator[None]:
    """`stoppable`, and every call of the module counts as a step: `first` + 1 to `first` + `of`.

    Args:
        of: calls that are expected; more are not counted.
        note: what is being done; "step N of M" is added.
    """
    calls, total = 0, max(job.of, first + of)

    def count() -> None:
        nonlocal calls
        calls = min(calls + 1, of)
        job.report(first + calls, total, f"{note}, step {calls} of {of}")

    with after_each_call(model, count), stoppable(model, job):
        yield
