"""Paths in a jobs file: relative to the file, or else to the current folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import worlds
from ..notation import parse_control, parse_weighted
from ..remarks import remark
from .contents import is_preset_file


class JobPaths:
    """Finds what the rows of a jobs file name. What it has found once stays, whatever comes to lie there later.

    Args:
        folder: where the jobs file lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._here = folder, folder == Path()
        self._known: dict[str, str] = {}

    def with_places(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row whose paths can be opened from the current folder; what names no file beside the jobs file stays."""
        row = dict(values)
        if self._here:
            return row
        for key in ("image", "mask"):
            row |= {key: self._place(row[key])} if isinstance(row.get(key), str) else {}
        if isinstance(preset := row.get("preset"), str) and is_preset_file(preset):
            row["preset"] = self._place(preset)
        if isinstance(model := row.get("model"), str) and not _shipped(model):
            row["model"] = self._place(model)
        for key, place in (("control", self._control), ("lora", self._lora)):
            if isinstance(value := row.get(key), str):
                row[key] = place(value)
            elif isinstance(value, list | tuple):
                row[key] = [place(text) if isinstance(text, str) else text for text in value]
        return row

    def _place(self, name: str) -> str:
        if not name:
            return name
        if name not in self._known:
            beside = self._folder / name
            try:
                self._known[name] = str(beside) if beside.exists() else name
                if beside.exists() and Path(name).exists() and not beside.samefile(name):
                    remark(f"{name} is taken from the jobs file's folder, not from the current one: {beside}")
            except (OSError, ValueError):  # no name of a file, as the check of the job says
                self._known[name] = name
        return self._known[name]

    def _lora(self, text: str) -> str:
        whole = self._place(text)  # a name may have an @ of its own
        if whole != text:
            return whole
        try:
            lora = parse_weighted(text)
        except ValueError:  # as the check of the job says
            return text
        name = self._place(lora.name)
        return text if name == lora.name else f"{name}@{lora.scale!r}"

    def _control(self, text: str) -> str:
        try:
            model, picture, scale = self._halves(text)
        except ValueError:
            return text
        names = self._place(model), self._place(str(picture))
        return text if names == (model, str(picture)) else f"{names[0]}={names[1]}@{scale!r}"

    def _halves(self, text: str) -> tuple[str, Path, float]:
        """As `parse_control`, which looks for files in the current folder only where names have an = of their own."""
        for match in re.finditer("=", text):
            picture = parse_weighted(text[match.end() :])
            if match.start() and (self._folder / picture.name).is_file():
                return text[: match.start()], Path(picture.name), picture.scale
        return parse_control(text)


def _shipped(model: str) -> bool:
    try:
        return worlds.split(model) is not None
    except ValueError:
        return True
