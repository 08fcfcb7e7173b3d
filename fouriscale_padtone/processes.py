"""Long pieces of work side by side, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from typing import Any

_TOLD, _FAILED, _DONE = "told", "failed", "done"


def side_by_side(
    work: Callable[..., Any],
    calls: Mapping[str, tuple[Any, ...]],
    workers: int,
    told: Callable[[str, str, int, int], None],
) -> dict[str, Any]:
    """`work(*arguments, progress)` for every name, `workers` at a time; torch's threads are shared out.

    The first failure, or Ctrl-C here, ends all of them: what they do must bear being killed.

    Args:
        work: a function of a module, since another process imports it.
        calls: {name: arguments}, begun in this order.
        told: called with a name and what its `progress` was called with.

    Returns:
        {name: result}, in the order of `calls`.

    Raises:
        ChildProcessError: a process was killed.
        Exception: what `work` raised.
    """
    import torch

    context = multiprocessing.get_context("spawn")
    threads = max(1, torch.get_num_threads() // workers)
    waiting, results = list(calls), {}
    running: dict[Connection, tuple[str, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(
                    target=_serve, args=(theirs, threads, work, calls[name]), daemon=True
                )
                process.start()
                theirs.close()
                running[ours] = name, process
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                name, process = running[connection]
                try:
                    kind, content = connection.recv()
                except EOFError:
                    process.join()
                    raise ChildProcessError(f"the process of {name} {last_words(process.exitcode)}") from None
                if kind == _TOLD:
                    told(name, *content)
                    continue
                if kind == _FAILED:
                    raise content
                results[name] = content
                del running[connection]
                process.join()
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()
    return {name: results[name] for name in calls}


def _serve(connection: Connection, threads: int, work: Callable[..., Any], arguments: tuple) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends this one
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    from .command import remarks_shown

    torch.set_num_threads(threads)

    def progress(*news: Any) -> None:
        connection.send((_TOLD, news))

    try:
        with remarks_shown():
            message = _DONE, work(*arguments, progress)
    except Exception as error:
        message = _FAILED, error
    connection.send(message)


def last_words(code: int | None) -> str:
    """How a process ended, such as "was killed by SIGKILL"."""
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
