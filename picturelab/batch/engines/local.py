"""Workers of this machine: this process, or several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...quiet import quieten
from ...remarks import passing_remarks, remark
from ...runs.processes import begin_worker, last_words
from ..dispatch import Outcome, Unit
from ..limits import bound_memory
from ..worker import DEPTH, Begun, Worker, WorkerSettings, outcome_of
from .crew import Died, Finished

_DYING = 10  # seconds that a killed process is waited for: one that waits for a device may take its time
_HALT, _END = "halt", "end"  # what a worker process is sent besides units


class OneProcess:
    """A crew of one, in threads of this process."""

    size = 1

    def __init__(self, settings: WorkerSettings) -> None:
        self._stop = threading.Event()
        self._events: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self._threads = _Overlapping(
            settings, self._stop, lambda unit, outcome: self._events.put(Finished(0, unit, outcome))
        )

    def send(self, place: int, unit: Unit) -> None:
        self._threads.send(unit)

    def wait(self, seconds: float) -> list[Finished | Died]:
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            return []
        return [event]

    def abandon(self, place: int) -> bool:
        return False  # a thread cannot be ended

    def halt(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()
        self._threads.close()


class Processes:
    """A worker a process; with several accelerators, each on its own."""

    def __init__(self, settings: WorkerSettings, devices: list[str]) -> None:
        self.size = len(devices)
        self._settings, self._devices = settings, devices
        self._context = multiprocessing.get_context("spawn")
        self._members: dict[int, tuple[Any, Any]] = {}  # process and connection

    def send(self, place: int, unit: Unit) -> None:
        if place not in self._members:
            self._start(place)
        try:
            self._members[place][1].send(unit)
        except OSError:  # it is dead; `wait` says so
            return

    def wait(self, seconds: float) -> list[Finished | Died]:
        by_handle: dict[Any, int] = {}
        for place, (process, connection) in self._members.items():
            by_handle |= {connection: place, process.sentinel: place}
        ready = multiprocessing.connection.wait(list(by_handle), timeout=seconds)
        events: list[Finished | Died] = []
        # What was sent before death counts, so connections come first.
        for handle in sorted(ready, key=lambda handle: isinstance(handle, int)):
            place = by_handle[handle]
            if place not in self._members:
                continue
            process, connection = self._members[place]
            try:
                while connection.poll():
                    message = connection.recv()
                    if isinstance(message, str):
                        remark(message)
                    else:
                        events.append(Finished(place, *message))
            except (EOFError, OSError):
                process.join()
            if not process.is_alive():
                del self._members[place]
                events.append(Died(place, last_words(process.exitcode)))
        return events

    def abandon(self, place: int) -> bool:
        process, connection = self._members.pop(place)
        process.kill()
        process.join(_DYING)
        connection.close()
        return True

    def halt(self) -> None:
        for _, connection in self._members.values():
            with contextlib.suppress(OSError):
                connection.send(_HALT)

    def close(self) -> None:
        for process, connection in self._members.values():
            with contextlib.suppress(OSError):
                connection.send(_END)
            process.join()
            connection.close()

    def _start(self, place: int) -> None:
        ours, theirs = self._context.Pipe()
        settings = self._settings.model_copy(update={"device": self._devices[place]})
        process = self._context.Process(target=_serve, args=(theirs, settings, self.size), daemon=True)
        process.start()
        theirs.close()
        self._members[place] = process, ours


class _Overlapping:
    """A worker that makes `DEPTH` units at a time, each on its own thread."""

    def __init__(
        self, settings: WorkerSettings, stop: threading.Event, on_finish: Callable[[Unit, Outcome], None]
    ) -> None:
        self._worker, self._stop, self._on_finish = Worker(settings), stop, on_finish
        self._pool = ThreadPoolExecutor(DEPTH, "unit")

    def send(self, unit: Unit) -> None:
        self._pool.submit(self._run, unit, self._worker.begin(unit, self._stop))

    def close(self) -> None:
        self._pool.shutdown()
        self._worker.close()

    def _run(self, unit: Unit, begun: Begun) -> None:
        self._on_finish(unit, outcome_of(self._worker, unit, begun, self._stop))


def _serve(connection: Any, settings: WorkerSettings, workers: int) -> None:
    """A worker process: units come in, outcomes and remarks go out; without a parent it ends."""
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    quieten()
    bound_memory(settings.device, workers)
    stop, sending = threading.Event(), threading.Lock()

    def send(message: tuple[Unit, Outcome] | str) -> None:
        with sending:
            connection.send(message)

    with passing_remarks(send):
        threads = _Overlapping(settings, stop, lambda unit, outcome: send((unit, outcome)))
        while True:
            try:
                message = connection.recv()
            except (
                EOFError,
                OSError,
            ):  # the parent was killed: what is in hand would be written behind its back
                os._exit(1)
            if message == _END:
                threads.close()
                return
            if message == _HALT:
                stop.set()
            else:
                threads.send(message)
