"""Jobs files of text with a row after the other, and JSONL, the plainest of them."""

from __future__ import annotations

import io
import os
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..textfiles import parse_json, text_copy


class TextRows:
    """A text file of which it is known where each row begins and how long it is."""

    unit = "line"

    def __init__(self, path: Path) -> None:
        self._starts, self._lengths, self._numbers = array("Q"), array("Q"), array("Q")
        self._position = 0
        self._copy, self.sha256 = text_copy(path)
        weakref.finalize(self, self._copy.close)
        try:
            self._scan(path)
        except BaseException:
            self._copy.close()
            raise

    def __len__(self) -> int:
        return len(self._starts)

    def number(self, index: int) -> int:
        return self._numbers[index]

    def _scan(self, path: Path) -> None:
        raise NotImplementedError

    def _lines(self) -> Iterator[str]:
        """The lines with their ends, which are those of Windows, Unix or old Macs."""
        stream = io.TextIOWrapper(self._copy, encoding="utf-8", newline="")
        for line in stream:
            self._position += len(line.encode())
            yield line
        stream.detach()

    def _add(self, start: int, number: int) -> None:
        """A row from `start` to where the scan is now."""
        self._starts.append(start)
        self._lengths.append(self._position - start)
        self._numbers.append(number)

    def _text(self, index: int) -> str:
        return self._between(self._starts[index], self._lengths[index])

    def _between(self, start: int, length: int) -> str:
        return os.pread(self._copy.fileno(), length, start).decode()


class Lines(TextRows):
    """JSONL: one JSON object a line; empty lines count, but hold no job."""

    def _scan(self, path: Path) -> None:
        before = 0
        for number, line in enumerate(self._lines(), 1):
            if line.strip():
                self._add(before, number)
            before = self._position

    def row(self, index: int) -> dict[str, Any]:
        try:
            values = parse_json(self._text(index).strip())
        except ValueError as error:
            raise ValueError(f"it is not JSON ({error})") from None
        if not isinstance(values, dict):
            raise ValueError('it is not a JSON object, such as {"prompt": "a red circle"}')
        return values
