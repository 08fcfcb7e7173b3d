"""Workers as Ray actors, on this machine or a cluster."""

from __future__ import annotations

import os
import threading
from typing import Any

from ...extras import brings
from ...quiet import quieten
from ..dispatch import Outcome, Unit
from ..worker import DEPTH, Worker, WorkerSettings, outcome_of
from .crew import Died, Finished


def connect(address: str | None, cores: int | None) -> bool:
    """Join a cluster, or start one here; gives whether it has GPUs.

    Args:
        address: "auto" or a cluster's; None starts one on this machine.
        cores: of a cluster that is started here; None takes all.

    Raises:
        ValueError: Ray is not installed, or there is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ValueError(f"--engine ray needs Ray: {brings('cluster')}") from None
    here: dict[str, Any] = {} if address else {"include_dashboard": False, "num_cpus": cores}
    try:
        ray.init(address=address, logging_level="error", log_to_driver=False, **here)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"there is no Ray cluster at {address!r} ({str(error).splitlines()[0]}): start one with `ray start --head`"
        ) from None
    return ray.cluster_resources().get("GPU", 0) > 0


class Actors:
    """A crew of Ray actors. Ray does not restart them: a new one is started when it is needed.

    Args:
        size: how many; None takes one a GPU, or one per `settings.threads` cores.
    """

    def __init__(self, settings: WorkerSettings, size: int | None) -> None:
        import ray

        self._settings, self._ray = settings, ray
        gpu, there = settings.device.startswith("cuda"), ray.cluster_resources()
        self.size = size or max(
            1, int(there.get("GPU", 0) if gpu else there.get("CPU", 1) // settings.threads)
        )
        self._kind = ray.remote(_Serving).options(
            num_cpus=1 if gpu else settings.threads,  # beside a GPU, threads wait
            num_gpus=int(gpu),
            max_restarts=0,
            max_concurrency=DEPTH + 1,  # and one call for `halt`
        )
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, tuple[int, Unit]] = {}

    def send(self, place: int, unit: Unit) -> None:
        if place not in self._actors:
            self._actors[place] = self._kind.remote(self._settings)
        self._calls[self._actors[place].run.remote(unit)] = place, unit

    def wait(self, seconds: float) -> list[Finished | Died]:
        ready, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(list(self._calls), num_returns=len(self._calls), timeout=0)
        events: list[Finished | Died] = []
        dead: dict[int, str] = {}
        for call in ready:
            place, unit = self._calls.pop(call)
            try:
                events.append(Finished(place, unit, self._ray.get(call)))
            except self._ray.exceptions.RayError as error:
                dead[place] = _reason(error)
        for place, reason in dead.items():
            self.abandon(place)
            events.append(Died(place, reason))
        return events

    def abandon(self, place: int) -> bool:
        self._calls = {call: (at, unit) for call, (at, unit) in self._calls.items() if at != place}
        self._ray.kill(self._actors.pop(place))
        return True

    def halt(self) -> None:
        for actor in self._actors.values():
            actor.halt.remote()

    def close(self) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._ray.shutdown()


class _Serving:
    """What runs in an actor. Its calls overlap, each on a thread of Ray's."""

    def __init__(self, settings: WorkerSettings) -> None:
        quieten()
        self._worker, self._stop = Worker(settings), threading.Event()

    def run(self, unit: Unit) -> Outcome:
        return outcome_of(self._worker, unit, self._worker.begin(unit, self._stop), self._stop)

    def halt(self) -> None:
        self._stop.set()


def _reason(error: Exception) -> str:
    """Ray reports a death at length; its first sentence is enough for a manifest."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    details = next(
        (line for line in lines if "exit detail" in line.lower() or "died because" in line.lower()), ""
    )
    return (details or (lines[0] if lines else type(error).__name__))[:300]
