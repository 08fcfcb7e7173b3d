"""Encoded texts on disk, so that a text encoder runs once for a prompt, whoever asks."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..files import write_whole

ROOM = 10 * 2**30  # bytes that one process writes at most: a million SDXL prompts would fill 300 GB
_HELD = 256  # encodings kept in memory


class EncodingCache:
    """A folder of safetensors files, one an encoding, named by a hash of everything that decides it.

    Attributes:
        misses, hits: encodings that had to be made, and those that were here.
    """

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        self.folder, self._room = folder, room
        self._held: dict[str, dict[str, torch.Tensor]] = {}
        self.misses = self.hits = 0

    def get(self, what: dict[str, Any]) -> dict[str, torch.Tensor] | None:
        """An encoding on the CPU, or None. A damaged file counts as none."""
        name = _name(what)
        if name not in self._held:
            try:
                self._hold(name, load((self.folder / name).read_bytes()))
            except (OSError, SafetensorError):
                return None
        self.hits += 1
        return self._held[name]

    def put(self, what: dict[str, Any], encoding: dict[str, torch.Tensor]) -> None:
        """Keep an encoding. Where the disk has no room it is kept in memory only: it can be made again."""
        self.misses += 1
        name = _name(what)
        self._hold(name, {key: value.cpu().contiguous() for key, value in encoding.items()})
        content = save(self._held[name])
        if len(content) > self._room:
            return
        with contextlib.suppress(OSError):
            write_whole(self.folder / name, content)
            self._room -= len(content)

    def _hold(self, name: str, encoding: dict[str, torch.Tensor]) -> None:
        while len(self._held) >= _HELD:
            del self._held[next(iter(self._held))]
        self._held[name] = encoding


def _name(what: dict[str, Any]) -> str:
    text = json.dumps(what, sort_keys=True, ensure_ascii=False)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.safetensors"


def finite(encoding: dict[str, Any]) -> bool:
    """Whether no number of an encoding is NaN or infinite."""
    tensors = [t for value in encoding.values() for t in (value if isinstance(value, list) else [value])]
    return all(bool(torch.isfinite(t).all()) for t in tensors if t.is_floating_point())
