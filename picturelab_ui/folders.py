"""Where each visitor's files lie below the host's output folder; folders are made by what writes into them."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path


class Folders:
    """A folder for each visitor and kind of file."""

    def __init__(self, output: Path) -> None:
        self.output = output.resolve()

    def of(self, name: str, kind: str) -> Path:
        """Where a browser's files of a kind go; a visitor without a name gets a folder that nobody else finds."""
        return self.output / (name or secrets.token_hex(16)) / kind

    def pictures(self, name: str) -> list[Path]:
        """A browser's pictures, latest first; none without a name."""
        if not name:
            return []
        times: dict[Path, float] = {}
        for path in self.of(name, "pictures").glob("*.png"):
            with contextlib.suppress(FileNotFoundError):  # it was old, and has just gone
                times[path] = path.stat().st_mtime
        return sorted(times, key=lambda path: times[path], reverse=True)
