"""How long the denoiser's calls take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from picturelab import clock


@contextmanager
def timed_calls(module: torch.nn.Module) -> Iterator[list[float]]:
    """Inside the block, the seconds of every call of a module are written down, its device's work included."""
    seconds: list[float] = []
    begun: list[float] = []

    def before(module: torch.nn.Module, args: tuple) -> None:
        begun.append(now())

    def after(module: torch.nn.Module, args: tuple, output: Any) -> None:
        seconds.append(now() - begun.pop())

    # First and last of all hooks, so that those of others count.
    hooks = [module.register_forward_pre_hook(before, prepend=True), module.register_forward_hook(after)]
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


def now() -> float:
    """Seconds of a clock, once the GPU has done what it was given; see `picturelab.clock`."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock.now()
