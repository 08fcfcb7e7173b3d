"""The most memory that a piece of work takes, measured."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
import torch

_EVERY = 0.01  # seconds between two looks at the resident memory


@dataclass
class Peak:
    """Set when the work has ended."""

    bytes: int = 0


@contextlib.contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """The largest memory of a `with` block, weights included.

    On an NVIDIA GPU what torch has allocated there; elsewhere the process's resident memory, looked at
    every hundredth of a second, which takes in Python itself and what torch keeps for later.
    """
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device)
        return
    process, over = psutil.Process(), threading.Event()

    def watch() -> None:
        while True:
            peak.bytes = max(peak.bytes, process.memory_info().rss)
            if over.wait(_EVERY):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()
