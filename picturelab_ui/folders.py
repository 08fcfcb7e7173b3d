"""Where the files of each browser lie, below the host's output folder."""

from __future__ import annotations

import re
from pathlib import Path

_OWNER = re.compile(r"[0-9a-f]{32}")


class Folders:
    """A folder for each browser and kind of file."""

    def __init__(self, output: Path) -> None:
        self._output = output.resolve()

    def of(self, owner: str, kind: str) -> Path:
        """Where a browser's files of a kind go; a name that is none of ours gets the common one."""
        folder = self._output / (owner if _OWNER.fullmatch(owner or "") else "shared") / kind
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def pictures(self, owner: str) -> list[Path]:
        """A browser's pictures, latest first."""
        files = self.of(owner, "pictures").glob("*.png")
        return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
