"""The most memory that a piece of work would take, foretold by running it on the meta device."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary


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
