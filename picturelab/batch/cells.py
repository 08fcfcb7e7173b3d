"""Jobs files in CSV, as spreadsheets of all countries write it."""

from __future__ import annotations

import csv
import io
import re
from itertools import chain
from pathlib import Path
from typing import Any

from .headings import headings, key
from .jobs import KEYS
from .lines import TextRows

_SEPARATORS = ",;\t|"
_LONGEST = 131_072  # letters of a cell: far beyond a prompt's, and where the csv module ends by itself
_NUMBER = re.compile(r"\s*-?\d+,\d+\s*")


class Cells(TextRows):
    """CSV with a header; empty cells are left out, rows without a cell are no jobs.

    Cells are separated by what makes most keys of the header, or by what a line such as `sep=;` before it says.
    """

    def _scan(self, path: Path) -> None:
        self._header: list[str] | None = None
        lines, skipped, separator = self._lines(), 0, None
        for first in lines:
            if hint := re.fullmatch(r'"?sep=(.)"?[;,\t]*\s*', first, re.IGNORECASE):
                separator = hint[1]
            elif first.strip():
                break
            skipped += 1
        else:
            return
        self._separator = separator or max(_SEPARATORS, key=lambda one: _known(first, one))
        # The reader takes a line only when it needs one, so the position is where its next row begins.
        reader = csv.reader(chain([first], lines), delimiter=self._separator, strict=True)
        start, number = self._position - len(first.encode()), skipped + 1
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._complain(path, error, start, number, reader.line_num + skipped)
                cells = ["damaged"]
            if any(cell.strip() for cell in cells):
                if self._header is None:
                    self._header = headings(cells, path)
                else:
                    self._add(start, number)
            start, number = self._position, reader.line_num + skipped + 1

    def _complain(self, path: Path, error: csv.Error, start: int, first: int, last: int) -> None:
        """Refuse the file where it cannot be told which rows it has; one bad line is left to `row`.

        Raises:
            ValueError: a quote is never closed, or the header is damaged.
        """
        text = self._between(start, self._position - start)
        if last > first or "unexpected end" in str(error):
            raise ValueError(
                f"{path}, line {first + _unclosed(text)}: a quote opens there that is not closed where its cell ends "
                f'({_reason(error)}); quotes inside a cell are written twice, ""'
            ) from None
        if self._header is None:
            raise ValueError(f"{path}, line {first}: the header is damaged ({_reason(error)})") from None

    def row(self, index: int) -> dict[str, Any]:
        text, header = io.StringIO(self._text(index), newline=""), self._header or []
        try:
            cells = next(csv.reader(text, delimiter=self._separator, strict=True))
        except csv.Error as error:
            raise ValueError(f"it is damaged ({_reason(error)})") from None
        while len(cells) > len(header) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header):
            raise ValueError(f"it has {len(cells)} cells where the header has {len(header)}")
        values = {name: cell for name, cell in zip(header, cells, strict=True) if cell.strip()}
        if "" in values:
            raise ValueError(f"{values['']!r} stands in a column without a name")
        if self._separator == ";":  # where lists have semicolons, numbers have commas
            for name in ("guidance", "strength", "cascade_strength"):
                if _NUMBER.fullmatch(values.get(name, "")):
                    values[name] = values[name].replace(",", ".")
        return values


def _known(header: str, separator: str) -> int:
    """How many keys of jobs a header holds, read with a separator."""
    try:
        names = next(csv.reader([header], delimiter=separator), [])
    except csv.Error:
        return 0
    return sum(key(name) in KEYS for name in names)


def _unclosed(text: str) -> int:
    """In which line of a row, from 0, the quote opens that is not closed."""
    opened, inside = 0, False
    for place, line in enumerate(io.StringIO(text, newline="")):
        if line.count('"') % 2:
            inside = not inside
            opened = place if inside else opened
    return opened


def _reason(error: csv.Error) -> str:
    if "field limit" in str(error) or "field larger" in str(error):
        return f"a cell has more than {_LONGEST:,} letters"
    return str(error)
