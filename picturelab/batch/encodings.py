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
_WHAT, _DIGEST = "what", "sha256"  # notes in a file
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
        """An encoding on the CPU, or None. A file that is damaged or another's counts as none."""
        name = _name(what)
        if name not in self._held:
            try:
                content = (self.folder / name).read_bytes()
                encoding = load(content)
                if _written_with(content) != _key(what) | {_DIGEST: _digest(encoding)}:
                    return None
            except (OSError, SafetensorError, ValueError, KeyError):
                return None
            self._hold(name, encoding)
        self.hits += 1
        return self._held[name]

    def put(self, what: dict[str, Any], encoding: dict[str, torch.Tensor]) -> None:
        """Keep an encoding. Where the disk has no room it is kept in memory only: it can be made again."""
        self.misses += 1
        name = _name(what)
        self._hold(name, {key: value.cpu().contiguous() for key, value in encoding.items()})
        content = save(self._held[name], _key(what) | {_DIGEST: _digest(self._held[name])})
        if len(content) > self._room:
            return
        with contextlib.suppress(OSError):
            write_whole(self.folder / name, content)
            self._room -= len(content)

    def _hold(self, name: str, encoding: dict[str, torch.Tensor]) -> None:
        while len(self._held) >= _HELD:
            del self._held[next(iter(self._held))]
        self._held[name] = encoding


def _key(what: dict[str, Any]) -> dict[str, str]:
    """What decides an encoding, as it stands in its file."""
    return {_WHAT: json.dumps(what, sort_keys=True, ensure_ascii=False)}


def _name(what: dict[str, Any]) -> str:
    return f"{hashlib.sha256(_key(what)[_WHAT].encode()).hexdigest()[:40]}.safetensors"


def _digest(encoding: dict[str, torch.Tensor]) -> str:
    """Of every bit of an encoding."""
    digest = hashlib.sha256()
    for name, value in sorted(encoding.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _written_with(content: bytes) -> dict[str, str]:
    """The notes in the header of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + length]).get("__metadata__", {}))


def finite(encoding: dict[str, Any]) -> bool:
    """Whether no number of an encoding is NaN or infinite."""
    tensors = [t for value in encoding.values() for t in (value if isinstance(value, list) else [value])]
    return all(bool(torch.isfinite(t).all()) for t in tensors if t.is_floating_point())
