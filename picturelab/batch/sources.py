"""Jobs files: JSONL, CSV, Parquet and YAML grids. Rows are read when asked for, never all at once."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
import weakref
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import yaml

from ..extras import brings

KINDS = (".jsonl", ".csv", ".parquet", ".yaml", ".yml")


class JobsFile(Protocol):
    """A jobs file.

    Attributes:
        unit: what its rows are called in messages.
        sha256: of everything that it was read from.
    """

    unit: str
    sha256: str

    def __len__(self) -> int: ...

    def number(self, index: int) -> int:
        """What a person counts the row as, from 1."""

    def row(self, index: int) -> dict[str, Any]:
        """The values of a row.

        Raises:
            ValueError: it is damaged.
        """


def open_jobs_file(path: Path) -> JobsFile:
    """A jobs file by its name's ending.

    Raises:
        ValueError: it cannot be read, is of no known kind, or is empty.
    """
    kinds: dict[str, Callable[[Path], JobsFile]] = {
        ".jsonl": Lines,
        ".csv": Cells,
        ".parquet": Columns,
        ".yaml": Grid,
        ".yml": Grid,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path}: jobs files end in {', '.join(KINDS)}")
    try:
        source = kind(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error})") from None
    if not len(source):
        raise ValueError(f"{path} holds no job")
    return source


class _Text:
    """A text file of which it is known where each row begins and how long it is."""

    unit = "line"

    def __init__(self, path: Path) -> None:
        self._starts, self._lengths, self._numbers = array("Q"), array("Q"), array("Q")
        self._digest, self._position = hashlib.sha256(), 0
        with path.open("rb") as stream:
            self._scan(stream)
        self.sha256 = self._digest.hexdigest()
        self._handle = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._handle)

    def __len__(self) -> int:
        return len(self._starts)

    def number(self, index: int) -> int:
        return self._numbers[index]

    def _scan(self, stream: BinaryIO) -> None:
        raise NotImplementedError

    def _lines(self, stream: BinaryIO) -> Iterator[bytes]:
        for line in stream:
            self._digest.update(line)
            self._position += len(line)
            yield line

    def _add(self, start: int, number: int) -> None:
        """A row from `start` to where the scan is now."""
        self._starts.append(start)
        self._lengths.append(self._position - start)
        self._numbers.append(number)

    def _text(self, index: int) -> str:
        return os.pread(self._handle, self._lengths[index], self._starts[index]).decode()


class Lines(_Text):
    """JSONL: one JSON object a line; empty lines count, but hold no job."""

    def _scan(self, stream: BinaryIO) -> None:
        for number, line in enumerate(self._lines(stream), 1):
            if line.strip():
                self._add(self._position - len(line), number)

    def row(self, index: int) -> dict[str, Any]:
        try:
            values = json.loads(self._text(index))
        except ValueError as error:
            raise ValueError(f"it is not JSON ({error})") from None
        if not isinstance(values, dict):
            raise ValueError('it is not a JSON object, such as {"prompt": "a red circle"}')
        return values


class Cells(_Text):
    """CSV with a header; empty cells are left out."""

    def _scan(self, stream: BinaryIO) -> None:
        # The reader takes a line only when it needs one, so the position is where its next row begins.
        reader = csv.reader(line.decode() for line in self._lines(stream))
        self._header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
        start, number = self._position, reader.line_num + 1
        for cells in reader:
            if cells:
                self._add(start, number)
            start, number = self._position, reader.line_num + 1

    def row(self, index: int) -> dict[str, Any]:
        cells = next(csv.reader(io.StringIO(self._text(index), newline="")))
        if len(cells) != len(self._header):
            raise ValueError(f"it has {len(cells)} cells where the header has {len(self._header)}")
        return {name: cell for name, cell in zip(self._header, cells, strict=True) if cell.strip()}


class Columns:
    """Parquet; nulls are left out."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise ValueError(f"{path} is Parquet, which needs pyarrow: {brings('parquet')}") from None
        with path.open("rb") as stream:
            self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        try:
            self._table = parquet.read_table(path, memory_map=True)
        except arrow.ArrowInvalid as error:
            raise ValueError(f"{path} is no Parquet file ({str(error).splitlines()[0]})") from None

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def number(self, index: int) -> int:
        return index + 1

    def row(self, index: int) -> dict[str, Any]:
        (values,) = self._table.slice(index, 1).to_pylist()
        return {name: value for name, value in values.items() if value is not None}


class Grid:
    """A YAML grid: every combination of prompts, seeds, sizes, configs, arms and models.

    A combination is worked out from its number, so a grid of millions takes no room. Seeds vary fastest.
    Its id says what it is a combination of, for those lists that have more than one entry.
    """

    unit = "combination"
    AXES = ("models", "sizes", "configs", "arms", "prompts", "seeds")
    COMMON = ("negative_prompt", "steps", "guidance", "model", "preset")

    def __init__(self, path: Path) -> None:
        text = path.read_bytes()
        digest = hashlib.sha256(text)
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML ({' '.join(str(error).split())})") from None
        if not isinstance(values, dict) or "prompts" not in values:
            raise ValueError(f"{path} is no grid: it is a mapping with at least prompts, a list")
        known = (*self.AXES, *self.COMMON)
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ValueError(f"{path} has no use for {unknown[0]!r}; keys are {', '.join(known)}")
        prompts = values["prompts"]
        if isinstance(prompts, str):  # a file, one a line
            listed = (path.parent / prompts).read_bytes()
            digest.update(listed)
            values["prompts"] = [line.strip() for line in listed.decode().splitlines() if line.strip()]
        self.sha256 = digest.hexdigest()
        self._common = {name: values[name] for name in self.COMMON if name in values}
        self._axes = {name: _entries(path, name, values[name]) for name in self.AXES if name in values}
        for one, many in (("model", "models"), ("preset", "configs")):
            if one in self._common and many in self._axes:
                raise ValueError(f"{path} gives {one} and {many}; give one or the other")

    def __len__(self) -> int:
        return math.prod(map(len, self._axes.values()))

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


def _entries(path: Path, name: str, value: Any) -> Any:
    """A list, or for seeds a range such as 0-99."""
    span = re.fullmatch(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*", value) if isinstance(value, str) else None
    if name == "seeds" and span and int(span[1]) <= int(span[2]):
        return range(int(span[1]), int(span[2]) + 1)
    if name == "seeds" and isinstance(value, int):
        return [value]
    if not isinstance(value, list) or not value:
        more = ", or a range such as 0-99" if name == "seeds" else ""
        raise ValueError(f"{path}: {name} is {value!r}; it is a list with at least one entry{more}")
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
