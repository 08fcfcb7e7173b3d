"""Jobs files in Parquet."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from ..extras import brings
from ..failures import reason, told_as
from ..textfiles import read_bytes
from .headings import headings


class Columns:
    """Parquet; nulls are left out, rows of nothing but nulls are no jobs."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import compute, parquet
        except ImportError:
            raise ValueError(f"{path} is Parquet, which needs pyarrow: {brings('parquet')}") from None
        content = read_bytes(path)  # not mapped: what changes on the disk does not change here
        self.sha256 = hashlib.sha256(content).hexdigest()
        with told_as(f"{path} is no Parquet file"):
            table = parquet.ParquetFile(arrow.BufferReader(content)).read()
        self._table = table.rename_columns(headings(table.column_names, path))
        empty = functools.reduce(compute.and_, map(compute.is_null, table.columns), arrow.scalar(True))
        self._rows = compute.indices_nonzero(compute.invert(empty)) if table.num_columns else []

    def __len__(self) -> int:
        return len(self._rows)

    def number(self, index: int) -> int:
        return int(self._rows[index].as_py()) + 1

    def row(self, index: int) -> dict[str, Any]:
        try:
            (values,) = self._table.slice(self.number(index) - 1, 1).to_pylist()
        except Exception as error:  # pyarrow has no common ancestor for what it raises
            raise ValueError(f"it cannot be read ({reason(error)})") from None
        return {name: value for name, value in values.items() if value is not None}
