"""Keeps an eye on memory and on numbers that are none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import psutil
import torch

with contextlib.suppress(ImportError):  # not on Windows
    import resource


@contextlib.contextmanager
def not_finite(pipe: Any) -> Iterator[set[int]]:
    """Positions of a batch for which the decoder gave a number that is NaN or infinite, filled while painting."""
    found: set[int] = set()

    def look(module: Any, args: Any, output: Any) -> None:
        for i, picture in enumerate(output):
            if not bool(torch.isfinite(picture).all()):
                found.add(i)

    handle = pipe.vae.decoder.register_forward_hook(look)
    try:
        yield found
    finally:
        handle.remove()


def peak_memory(device: str, reset: bool = False) -> int:
    """Bytes: an accelerator's peak since `reset`, or the largest that this process has been."""
    if device.startswith("cuda"):
        if reset:
            torch.cuda.reset_peak_memory_stats(device)
        return int(torch.cuda.max_memory_allocated(device))
    if "resource" not in globals():
        return int(psutil.Process().memory_info().rss)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def bound_memory(device: str, workers: int) -> None:
    """Have a worker on the CPU refuse what its share of memory cannot hold.

    Linux promises more memory than there is and kills a process that believes it; with a limit the
    allocation fails, and the job alone.
    """
    if not sys.platform.startswith("linux") or device.startswith("cuda"):
        return
    share = psutil.virtual_memory().total // workers
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (share if hard < 0 else min(share, hard), hard))
