"""A benchmark's results by section, kept as NAME.json and NAME.md, and numbers typed with commas between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from picturelab.bounds import check, shown
from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.textfiles import read_json

from .speed.results import check_folder, put

Section = dict[str, Any]


class Sections:
    """The sections of this run and of earlier ones; what is measured anew takes the place of what was there.

    Args:
        folder: of the two files.
        name: of both, without their endings.
        key: what tells one section from another.
        to_markdown: all of them as a page.

    Raises:
        ValueError: the folder cannot be written, or the file there is none of this benchmark's.
    """

    def __init__(
        self, folder: Path, name: str, key: tuple[str, ...], to_markdown: Callable[[list[Section]], str]
    ) -> None:
        self._json, self._page = folder / f"{name}.json", folder / f"{name}.md"
        self._key, self._to_markdown = key, to_markdown
        self._found: dict[str, list[Section]] = {"sections": []}
        check_folder(folder)
        if self._json.exists():
            content = read_json(self._json)
            with told_as(f"{self._json} is no results' file of this benchmark"):
                to_markdown(content["sections"])
            self._found["sections"] = list(content["sections"])

    @property
    def markdown(self) -> str:
        return self._to_markdown(self._found["sections"])

    def keep(self, section: Section) -> None:
        """Write both files with this section in them."""
        put(self._found, "sections", [section], *self._key)
        write_whole(self._json, json.dumps(self._found, indent=1) + "\n")
        write_whole(self._page, self.markdown)


def numbers(text: str, option: str, bound: str, multiple: int = 1) -> list[int]:
    """Whole numbers with commas between them.

    Raises:
        ValueError: one is no whole number, out of range or no multiple.
    """
    try:
        values = [int(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} {shown(text)}: must be whole numbers with commas between them") from None
    for value in values:
        check(option, value, bound)
        if value % multiple:
            raise ValueError(f"{option} {value}: must be a multiple of {multiple}")
    return values
