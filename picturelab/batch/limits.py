"""A worker's share of the machine's memory."""

from __future__ import annotations

import sys


def bound_memory(device: str, workers: int) -> None:
    """Have a worker on the CPU refuse what its share of memory cannot hold.

    Linux promises more memory than there is and kills a process that believes it; with a limit the
    allocation fails, and the job alone.
    """
    if not sys.platform.startswith("linux") or device.startswith("cuda"):
        return
    import resource

    import psutil

    share = psutil.virtual_memory().total // workers
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (share if hard < 0 else min(share, hard), hard))
