"""Long pieces of work side by side, each in a process of its own.

A process has a connection of its own, so that its death is told apart from the others': the standard library's
ProcessPoolExecutor only says that one of them has died, and its workers outlive a killed parent.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import wait
from typing import Any

from ..remarks import Remark, passing_remarks

_NEWS, _REMARK, _FAILED, _DONE = "news", "remark", "failed", "done"


def side_by_side(
    work: Callable[..., Any],
    calls: Mapping[str, tuple[Any, ...]],
    workers: int,
    on_progress: Callable[[str, str, int, int], None],
) -> Iterator[tuple[str, Any]]:
    """`work(*arguments, progress)` for every name, `workers` at a time, with one thread of torch's each.

    The first failure, or Ctrl-C here, ends all of them: what they do must bear being killed.

    Args:
        work: a function of a module, since another process imports it.
        calls: {name: arguments}, begun in this order.
        on_progress: called with a name and what its `progress` was called with.

    Yields:
        Names and results, as they are done.

    Raises:
        ChildProcessError: a process was killed.
        Exception: what `work` raised.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(calls)
    running: dict[Any, tuple[str, Any]] = {}  # by connection
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_serve, args=(theirs, name, work, calls[name]), daemon=True)
                process.start()
                theirs.close()
                running[ours] = name, process
            ready: list[Any] = wait(list(running))
            for connection in ready:
                name, process = running[connection]
                try:
                    kind, content = connection.recv()
                except EOFError:
                    process.join()
                    raise ChildProcessError(
                        f"the process of {name} was {last_words(process.exitcode)}"
                    ) from None
                if kind == _NEWS:
                    on_progress(name, *content)
                elif kind == _REMARK:
                    warnings.warn(f"{name}: {content}", Remark, stacklevel=2)
                elif kind == _FAILED:
                    raise content
                else:
                    del running[connection]
                    process.join()
                    yield name, content
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()


def begin_worker() -> None:
    """What every worker process does first."""
    # Ctrl-C reaches all of a terminal's processes; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def last_words(code: int | None) -> str:
    """How a process ended, such as "killed by SIGKILL"."""
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _serve(connection: Any, name: str, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    begin_worker()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)

    def progress(*news: Any) -> None:
        connection.send((_NEWS, news))

    try:
        with passing_remarks(lambda sentence: connection.send((_REMARK, sentence))):
            message = _DONE, work(*arguments, progress)
    except Exception as error:
        message = _FAILED, _portable(error, name)
    connection.send(message)


def _end_with_parent() -> None:
    """Without its parent a worker would go on behind the back of whoever begins the work anew."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _portable(error: Exception, name: str) -> Exception:
    """The error as another process can have it, with a note of where it came from."""
    where = traceback.format_exc()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In the process of {name}:\n{where}")
    return error
