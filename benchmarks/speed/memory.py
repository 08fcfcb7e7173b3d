"""What one call of a UNet takes on a CPU beyond its weights, each in a process of its own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import psutil
import torch

from picturelab.memory import peak_memory

from .cases import MODES, PARTS, SHAPES
from .subjects import UNetCalls


def resident(shape: str, scale: int, mode: str, dtype: torch.dtype) -> int:
    """Bytes that the first step's call adds to a process's resident memory.

    Raises:
        ValueError: the process failed, for want of memory perhaps.
    """
    name = str(dtype).removeprefix("torch.")
    words = f"from benchmarks.speed.memory import held; print(held({shape!r}, {scale}, {mode!r}, {name!r}))"
    # Freed blocks go back to the system at once, so that what is seen is what is held.
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run([sys.executable, "-c", words], stdout=subprocess.PIPE, text=True, env=env)
    if done.returncode:
        raise ValueError(
            f"the call of {shape} at {scale}x in mode {mode} ended with exit code {done.returncode}"
        )
    return int(done.stdout.split()[-1])


def held(shape: str, scale: int, mode: str, dtype: str) -> int:
    """The same of this process."""
    kind = SHAPES[shape]()
    subject = UNetCalls(kind, scale, torch.device("cpu"), getattr(torch, dtype))
    config = kind.settings((MODES | PARTS)[mode])
    subject.settle()
    gc.collect()
    before = psutil.Process().memory_info().rss
    with peak_memory(torch.device("cpu")) as peak, subject.applied(config):
        subject(subject.phases(config)[0])
    return peak.bytes - before
