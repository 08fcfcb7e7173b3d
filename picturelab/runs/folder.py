"""The folder of a long run, where each piece of work is written down as done, so that none is made twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from .. import recipes
from ..failures import told_as
from ..files import write_whole
from ..settings import shortened
from ..textfiles import read_json

OnProgress = Callable[[str, int, int], None]
"""Called with what is being done, how many pieces are done, and how many there are."""

_TOLD = 6  # settings that a sentence names


@dataclass(frozen=True)
class RunFolder:
    """A folder of pieces. A piece is one unit of work; its JSON is written last and says that it is done.

    Attributes:
        folder: where the settings, pieces and pictures lie.
        kind: what lies there, for messages, such as "an audit".
        chunk: name of the PNG text chunk that holds a picture's recipe.
    """

    folder: Path
    kind: str
    chunk: str

    def begin(self, settings: dict) -> None:
        """Open the folder for these settings, or go on with what was begun with them.

        Raises:
            ValueError: the folder holds a run with other settings, or something else.
        """
        path = self.folder / "settings.json"
        settings = json.loads(json.dumps(settings))
        if path.exists():
            before, now = _flat(read_json(path)), _flat(settings)
            other = [key for key in now | before if now.get(key) != before.get(key)]
            if other:
                # What only one of them has comes last; where the model is another, it is why the rest differs.
                told = sorted(other, key=lambda key: key not in before or key not in now)[:_TOLD]
                told = ["model"] if "model" in told and "model" in before else told
                changes = ", ".join(_change(key, before.get(key), now.get(key)) for key in told)
                if len(other) > len(told):
                    changes += f" and {len(other) - len(told)} more"
                raise ValueError(
                    f"{self.folder} holds {self.kind} begun with {changes}; give the same settings or another folder"
                )
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise ValueError(
                f"{self.folder} is not empty and does not hold {self.kind}; give an empty or a new folder"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(settings, indent=1), sync=True)

    def piece(self, key: str) -> dict | None:
        """What a finished piece wrote down; None: it is still to be made, or again since that cannot be read."""
        try:
            return read_json(self._notes(key))
        except ValueError:
            return None

    def finish(self, key: str, notes: dict, pictures: dict[str, tuple[Image.Image, dict]]) -> None:
        """Write a piece's pictures with their recipes, by path within the images, then its notes, all to the disk.

        Raises:
            ValueError: they cannot be written.
        """
        with told_as(f"{self.folder} cannot be written", OSError):
            for name, (picture, recipe) in pictures.items():
                content = recipes.encoded(picture, recipe, self.chunk)
                write_whole(self.folder / "images" / name, content, sync=True)
            write_whole(self._notes(key), json.dumps(notes), sync=True)

    def _notes(self, key: str) -> Path:
        return self.folder / "pieces" / f"{key.replace(' ', '-')}.json"

    def picture(self, name: str) -> Image.Image:
        with Image.open(self.folder / "images" / name) as image:
            return image.convert("RGB")


def _flat(settings: dict) -> dict[str, Any]:
    """Settings within settings by their full names, such as call.height."""
    inner = {key: value for key, value in settings.items() if isinstance(value, dict)}
    flat = {f"{key}.{name}": value for key, values in inner.items() for name, value in values.items()}
    return {key: value for key, value in settings.items() if key not in inner} | flat


def _change(key: str, before: Any, now: Any) -> str:
    """What a setting was and is, in a few words."""
    was, becomes = _brief(before), _brief(now)
    if was == becomes and isinstance(before, list) and isinstance(now, list):
        return f"{len(before)} {key} instead of {len(now)}" if len(before) != len(now) else f"other {key}"
    return f"{key} {was} instead of {becomes}"


def _brief(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), 60)
