"""The most memory that a piece of work takes, measured or foretold."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

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


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the tensors made within a `with` block that are alive at once.

    Works on the meta device, so that nothing need be computed; what kernels take for themselves is not seen.

    Attributes:
        peak: the most so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._live = 0
        self._seen: Any = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        for storage in _storages((args, kwargs)):
            self._seen.setdefault(storage)  # there already, such as weights, of which views are made
        output = func(*args, **(kwargs or {}))
        for storage in _storages(output):
            if storage not in self._seen:
                self._seen[storage] = None
                self._live += storage.nbytes()
                weakref.finalize(storage, self._gone, storage.nbytes())
        self.peak = max(self.peak, self._live)
        return output

    def _gone(self, size: int) -> None:
        self._live -= size


def _storages(value: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
