"""Which workers an order gets."""

from __future__ import annotations

import torch

from ..run import BatchOrder
from ..worker import WorkerSettings
from .crew import Crew


def make_crew(order: BatchOrder, settings: WorkerSettings) -> Crew:
    """The crew of an order. Nothing but the crew's own kind is imported.

    Raises:
        ValueError: there are none such here.
    """
    if order.engine == "ray":
        from .ray import Actors

        return Actors(settings, order.workers)
    devices = _devices(order, settings)
    if len(devices) == 1:
        from .local import OneProcess

        return OneProcess(settings)
    from .local import Processes

    return Processes(settings, devices)


def _devices(order: BatchOrder, settings: WorkerSettings) -> list[str]:
    """A device a worker: all accelerators in turn, unless one was named."""
    if order.device is None and settings.device == "cuda":
        count = torch.cuda.device_count()
        return [f"cuda:{i % count}" for i in range(order.workers or count)]
    return [settings.device] * (order.workers or 1)
