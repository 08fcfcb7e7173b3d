"""The most memory that work has taken: of an NVIDIA GPU what torch has allocated there, else of this process."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch

_EVERY = 0.01  # seconds between two looks at the resident memory


@dataclass
class Peak:
    """Set when the work has ended."""

    bytes: int = 0


@contextlib.contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """The largest memory of a `with` block, weights included.

    Off a GPU it is the process's resident memory, looked at every hundredth of a second, which takes in Python
    itself and what torch keeps for later. It may be less than the process has been before.
    """
    peak = Peak()
    if device.type == "cuda":
        reset_peak(device)
        yield peak
        peak.bytes = peak_so_far(device)
        return
    import psutil

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


def memory_of(device: torch.device) -> int:
    """Bytes that work could take there: all that a GPU has, else what this machine has to give now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    import psutil

    return int(psutil.virtual_memory().available)


def reset_peak(device: torch.device) -> None:
    """Have `peak_so_far` count a GPU's memory from here on. A process's own peak cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_so_far(device: torch.device) -> int:
    """Bytes: a GPU's peak since `reset_peak`, or the largest that this process has ever been.

    It costs nothing while the work is done, which `peak_memory` does.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import resource  # POSIX has it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
