"""Models that stop between two blocks once their job is cancelled, and that count their calls as its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from .runner import PageJob


@contextmanager
def stoppable(model: Any, job: PageJob) -> Iterator[None]:
    """Ask before every call of a torch module, and before every block in it, whether the job is cancelled.

    Works for whatever calls the module.
    """
    with _before_each_block(model, job.check):
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

    with _after_each_call(model, count), stoppable(model, job):
        yield


@contextmanager
def _before_each_block(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before the module and before each of its children and theirs.

    At the edges of blocks no attention or convolution is under way, so what others have attached there
    is at rest.
    """
    blocks = [model, *model.children(), *(b for child in model.children() for b in child.children())]
    with ExitStack() as undo:
        for block in blocks:
            undo.callback(block.register_forward_pre_hook(lambda *_: check()).remove)
        yield


@contextmanager
def _after_each_call(model: Any, count: Callable[[], None]) -> Iterator[None]:
    hook = model.register_forward_hook(lambda *_: count())
    try:
        yield
    finally:
        hook.remove()
