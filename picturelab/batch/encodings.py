"""Encoded texts on disk, so that a text encoder runs once for a prompt, whoever asks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import OrderedDict, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from ..files import write_whole

ROOM = 10 * 2**30  # bytes that one process writes at most: a million SDXL prompts would fill 300 GB
_WHAT, _DIGEST, _SHARED, _ENDS = "what", "sha256", "shared", "ends"  # notes in a file
_HELD = 256  # encodings kept in memory
_SHARES = 16  # tensors that several encodings have, kept in memory

Tensors = dict[str, torch.Tensor]
Ends = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class _Short:
    """An encoding without what it repeats.

    Attributes:
        tensors: its own, of which some are without rows that are all alike at an end.
        ends: see `_without_ends`.
        shared: those that other encodings have too, the same objects.
    """

    tensors: Tensors
    ends: Ends
    shared: Tensors

    def whole(self) -> Tensors:
        return _with_ends(self.tensors, self.ends) | self.shared


class EncodingCache:
    """A folder of safetensors files, one an encoding, named by a hash of everything that decides it.

    A tensor that the encoding before had too, such as a negative prompt's, lies in a file of its own, once. Rows at
    the beginning or end of a text that are all alike, such as zeros, are stored once. What is read is what was put,
    bit for bit.

    Attributes:
        misses, hits: encodings that had to be made, and those that were here.
        written: bytes in files, over all that were put.
    """

    def __init__(self, folder: Path, room: int = ROOM) -> None:
        self.folder, self._room = folder, room
        self._held: dict[str, _Short] = {}
        self._shares: OrderedDict[str, torch.Tensor] = OrderedDict()
        self._latest: set[str] = set()  # digests of the tensors of the latest encoding
        self._files: deque[tuple[str, int]] = deque()  # our own, of one encoding each, from the oldest on
        self.misses = self.hits = self.written = 0

    def get(self, what: dict[str, Any]) -> Tensors | None:
        """An encoding on the CPU, or None. A file that is damaged or another's counts as none."""
        name = _name(what)
        known = self._held.get(name)
        if known is None:
            try:
                known = self._read(name, _key(what))
            except (OSError, SafetensorError, ValueError, KeyError, TypeError):
                return None
            if known is None:
                return None
            self._hold(name, known)
        self.hits += 1
        return known.whole()

    def put(self, what: dict[str, Any], encoding: Tensors) -> None:
        """Keep an encoding. Where the folder is full, the oldest of ours makes way; where the disk has no room it is
        kept in memory only. It can be made again."""
        self.misses += 1
        name = _name(what)
        whole = {key: value.cpu().contiguous() for key, value in encoding.items()}
        digests = {key: _digest({"": value}) for key, value in whole.items()}
        known = self._latest | self._shares.keys()
        shared = {key: digest for key, digest in digests.items() if digest in known}
        self._latest = set(digests.values())
        short, ends = _without_ends({key: value for key, value in whole.items() if key not in shared})
        same = {key: self._shares.get(digest, whole[key]) for key, digest in shared.items()}
        self._hold(name, _Short(short, ends, same))
        with contextlib.suppress(OSError):
            for key, digest in shared.items():
                self._share(digest, same[key])
            notes = {_DIGEST: _digest(whole), _SHARED: json.dumps(shared), _ENDS: json.dumps(ends)}
            content = save(short, _key(what) | notes)
            if self._makes_room(len(content)):
                write_whole(self.folder / name, content)
                self._files.append((name, len(content)))
                self._room -= len(content)
                self.written += len(content)

    def _read(self, name: str, key: dict[str, str]) -> _Short | None:
        content = (self.folder / name).read_bytes()
        notes = _written_with(content)
        shared = {tensor: self._shared(digest) for tensor, digest in json.loads(notes[_SHARED]).items()}
        known = _Short(load(content), json.loads(notes[_ENDS]), shared)
        same = notes[_WHAT] == key[_WHAT] and notes[_DIGEST] == _digest(known.whole())
        return known if same else None

    def _share(self, digest: str, value: torch.Tensor) -> None:
        """Write a tensor that several encodings have, unless it is there."""
        if digest in self._shares:
            self._shares.move_to_end(digest)
            return
        short, ends = _without_ends({"": value})
        content = save({"value": short[""]}, {_ENDS: json.dumps(ends)})
        if len(content) > self._room:
            raise OSError("the folder is full")
        write_whole(self.folder / _shared_name(digest), content)
        self._room -= len(content)
        self.written += len(content)
        self._keep_share(digest, value)

    def _shared(self, digest: str) -> torch.Tensor:
        if digest not in self._shares:
            content = (self.folder / _shared_name(digest)).read_bytes()
            ends = json.loads(_written_with(content)[_ENDS])
            self._keep_share(digest, _with_ends({"": load(content)["value"]}, ends)[""])
        return self._shares[digest]

    def _keep_share(self, digest: str, value: torch.Tensor) -> None:
        while len(self._shares) >= _SHARES:
            self._shares.popitem(last=False)
        self._shares[digest] = value

    def _makes_room(self, size: int) -> bool:
        """Whether there is room for so many bytes, if need be where the oldest encodings of ours have been."""
        if size > self._room + sum(bytes for _, bytes in self._files):
            return False
        while size > self._room:
            name, bytes = self._files.popleft()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.folder / name)
            self._room += bytes
        return True

    def _hold(self, name: str, encoding: _Short) -> None:
        while len(self._held) >= _HELD:
            del self._held[next(iter(self._held))]
        self._held[name] = encoding


def _without_ends(encoding: Tensors) -> tuple[Tensors, Ends]:
    """Texts (1, rows, width) with the rows that are all alike at either end stored once.

    Returns:
        The texts, and {name: how often more the first row comes, and the last one}.
    """
    short, ends = dict(encoding), {}
    for name, value in encoding.items():
        if value.ndim != 3 or value.shape[0] != 1 or value.shape[1] < 2:
            continue
        bits = value[0].view(torch.uint8)  # so that every bit is compared: -0 is no 0
        before = _alike(bits)
        after = 0 if before == len(bits) - 1 else _alike(bits.flip(0))
        if before + after:
            short[name] = value[:, before : value.shape[1] - after].contiguous()
            ends[name] = (before, after)
    return short, ends


def _alike(rows: torch.Tensor) -> int:
    """How many rows behind the first are the same as it, before one that is not."""
    other = (rows != rows[:1]).any(dim=1).nonzero()
    return (int(other[0]) if len(other) else len(rows)) - 1


def _with_ends(short: Tensors, ends: Ends) -> Tensors:
    """The texts of `_without_ends` as they were."""
    whole = dict(short)
    for name, (before, after) in ends.items():
        rows = short[name]
        counts = torch.ones(rows.shape[1], dtype=torch.long)
        counts[0] += before
        counts[-1] += after
        whole[name] = rows.repeat_interleave(counts, dim=1)
    return whole


def _key(what: dict[str, Any]) -> dict[str, str]:
    """What decides an encoding, as it stands in its file."""
    return {_WHAT: json.dumps(what, sort_keys=True, ensure_ascii=False)}


def _name(what: dict[str, Any]) -> str:
    return f"{hashlib.sha256(_key(what)[_WHAT].encode()).hexdigest()[:40]}.safetensors"


def _shared_name(digest: str) -> str:
    return f"shared-{digest[:40]}.safetensors"


def _digest(encoding: Tensors) -> str:
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
