"""Which device an order's pictures are made on, and by which workers."""

from __future__ import annotations

import os

import torch

from ... import models
from ..order import BatchOrder
from ..worker import WorkerSettings
from .crew import Crew


def choose_device(order: BatchOrder) -> torch.device:
    """Where pictures are made: of a cluster, on what its machines have, not this one.

    Raises:
        ValueError: there is no such device, or no cluster.
    """
    if order.engine == "local":
        return models.choose_device(order.device)
    from .ray import connect

    # Cores are Ray's own count, so there may be more of them than there are: workers fit at any number of threads.
    gpus = connect(order.address, order.workers and order.workers * (order.threads or os.cpu_count() or 1))
    try:
        return torch.device(order.device or ("cuda" if gpus else "cpu"))
    except RuntimeError:
        raise ValueError(f"there is no device {order.device!r}; name cpu or cuda, or none") from None


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
