"""Jobs files in YAML: grids of which every combination is a job."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Any

from ..settings import shortened
from ..textfiles import lines, nearest, parse_yaml, read_bytes, text_of

MOST = 10_000_000  # combinations of a grid


class Grid:
    """A YAML grid: every combination of prompts, seeds, sizes, configs, arms and models.

    A combination is worked out from its number, so a grid of millions takes no room. Seeds vary fastest.
    Its id says what it is a combination of, for those lists that have more than one entry.
    """

    unit = "combination"
    AXES = ("models", "sizes", "configs", "arms", "prompts", "seeds")
    COMMON = (
        "negative_prompt", "steps", "guidance", "model", "preset",
        "cascade", "cascade_strength", "cascade_upsampling", "wrap", "pad_text", "format", "quality", "a1111",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        content = read_bytes(path)
        digest = hashlib.sha256(content)
        values = parse_yaml(text_of(content, path), path)
        if not isinstance(values, dict) or "prompts" not in values:
            raise ValueError(f"{path} is no grid: it is a mapping with at least prompts, a list")
        known = (*self.AXES, *self.COMMON)
        for name in values:
            if name not in known:
                raise ValueError(
                    f"{path} has no use for {name!r}{nearest(str(name), known)}; keys are {', '.join(known)}"
                )
        prompts = values["prompts"]
        if isinstance(prompts, str):  # a file, one a line
            file = path.parent / prompts
            listed = read_bytes(file)
            digest.update(listed)
            values["prompts"] = [line for _, line in lines(text_of(listed, file))]
            if not values["prompts"]:
                raise ValueError(f"{file} holds no prompt; it has one a line")
        self.sha256 = digest.hexdigest()
        self._common = {name: values[name] for name in self.COMMON if name in values}
        self._axes = {name: _entries(path, name, values[name]) for name in self.AXES if name in values}
        for one, many in (("model", "models"), ("preset", "configs")):
            if one in self._common and many in self._axes:
                raise ValueError(f"{path} gives {one} and {many}; give one or the other")
        lengths = {name: _length(entries) for name, entries in self._axes.items()}
        self._count = math.prod(lengths.values())
        if self._count > MOST:
            product = " x ".join(f"{length:,} {name}" for name, length in lengths.items())
            raise ValueError(
                f"{path} has {product} = {self._count:,} combinations; a grid has {MOST:,} at most"
            )

    def __len__(self) -> int:
        return self._count

    def number(self, index: int) -> int:
        return index + 1

    def row(self, index: int) -> dict[str, Any]:
        row, name = dict(self._common), []
        for axis in reversed(self._axes):
            entries = self._axes[axis]
            index, place = divmod(index, len(entries))
            row |= _values(axis, entries[place])
            if len(entries) > 1:
                name.append(_label(axis, entries[place], place, len(entries)))
        return row | {"id": "-".join(reversed(name)) or "1"}


def _length(entries: list[Any] | range) -> int:
    """Also of ranges beyond what `len` can count."""
    return entries.stop - entries.start if isinstance(entries, range) else len(entries)


def _entries(path: Path, name: str, value: Any) -> Any:
    """A list, or for seeds a range such as 0-99."""
    span = re.fullmatch(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", value) if isinstance(value, str) else None
    if name == "seeds" and span and int(span[1]) <= int(span[2]):
        return range(int(span[1]), int(span[2]) + 1)
    if name == "seeds" and isinstance(value, int) and not isinstance(value, bool):
        return [value]
    if not isinstance(value, list) or not value:
        more = ", or a range such as 0-99" if name == "seeds" else ""
        raise ValueError(
            f"{path}: {name} is {shortened(repr(value), 80)}; it is a list with at least one entry{more}"
        )
    return value


def _values(axis: str, entry: Any) -> dict[str, Any]:
    """What an entry of an axis puts into a job."""
    if axis == "configs":
        if not isinstance(entry, dict):
            return {"preset": None if entry is None else str(entry)}
        inner = dict(entry)
        preset = inner.pop("preset", None)
        return {"preset": preset, "config": inner or None}
    key = {"models": "model", "sizes": "size", "arms": "keep", "prompts": "prompt", "seeds": "seed"}[axis]
    return {key: entry}


def _label(axis: str, entry: Any, place: int, count: int) -> str:
    if axis == "seeds":
        return f"s{entry}"
    if axis in ("sizes", "arms") or (axis == "configs" and isinstance(entry, str)):
        return re.sub(r"[^A-Za-z0-9._-]+", "_", Path(str(entry)).stem if axis == "configs" else str(entry))
    return f"{axis[0]}{place:0{len(str(count - 1))}d}"
