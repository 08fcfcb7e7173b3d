"""Pictures that carry how they were made, inside the PNG file."""

from __future__ import annotations

import io
import json
import platform
import struct
import zlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ValidationError

from .bounds import shown
from .failures import told_as
from .files import write_whole
from .settings import problems, shortened
from .textfiles import parse_json

Model = TypeVar("Model", bound=BaseModel)
OURS = "fouriscale-padtone"
CHUNKS = ("fouriscale", "padtone")  # of PNGs, each called like the command that writes it
SHEET = "sheet"  # the entry of what shows several pictures and is none: the command that has drawn it
_PACKAGES = (OURS, "diffusers", "transformers", "torch", "pillow")
_LONGEST = 2**20  # letters of a recipe; prompts are bounded, so that ours are far shorter
_MOST_VERSIONS = 20  # named in a warning; a recipe could hold any number


def save(image: Image.Image, path: str | Path, recipe: Mapping[str, Any] | None, chunk: str) -> None:
    """Write a PNG with its recipe, whole or not at all. Missing folders are made.

    Args:
        image: the picture.
        path: a file ending in .png; one that is there is replaced.
        recipe: any mapping that JSON can hold; None leaves it out.
        chunk: name of the PNG text chunk.

    Raises:
        ValueError: the path does not end in .png, or cannot be written.
        TypeError: the recipe holds something that JSON cannot.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: pictures are written as PNG, so name a file that ends in .png")
    # PIL raises an OSError too, for kinds of pictures that PNG has not.
    with told_as(f"{path} cannot be written", OSError):
        write_whole(path, encoded(image, recipe, chunk))


def encoded(image: Image.Image, recipe: Mapping[str, Any] | None, chunk: str) -> bytes:
    """A PNG with its recipe, as `save` writes it.

    Raises:
        TypeError: the recipe holds something that JSON cannot.
    """
    chunks = PngImagePlugin.PngInfo()
    if recipe is not None:
        chunks.add_text(chunk, json.dumps(dict(recipe)))
    content = io.BytesIO()
    image.save(content, format="PNG", pnginfo=chunks)
    return content.getvalue()


def chunk_of(file: Path | BinaryIO, chunk: str, *, checksums: bool = False) -> str | None:
    """A text chunk of a PNG of any size, for no pixel is decoded; None: there is none.

    Args:
        chunk: its name.
        checksums: whether to compare those of the pixels' chunks, too.

    Raises:
        SyntaxError: it is no PNG, or damaged. OSError, ValueError, EOFError, struct.error, zlib.error: it is damaged.
    """
    with PngImagePlugin.PngImageFile(file) as image:  # `Image.open` refuses large pictures
        text = image.info.get(chunk)
        if checksums:
            image.verify()
    return text if isinstance(text, str) else None


def values_of(text: str) -> dict[str, Any]:
    """A recipe from the text of its chunk, as plain values.

    Raises:
        ValueError: it is too long or no JSON object, says why.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text):,} letters; a recipe has {_LONGEST:,} at most")
    recipe = parse_json(text)
    if not isinstance(recipe, dict):
        raise ValueError("no JSON object")
    if not recipe:
        raise ValueError("nothing stands in it")
    return recipe


def read(path: str | Path, chunk: str, writer: str) -> dict[str, Any]:
    """The recipe inside a PNG, as plain values, so that the picture can be made again.

    Args:
        chunk: name of the PNG text chunk.
        writer: the command that writes it, for the message.

    Raises:
        ValueError: the file cannot be read, is no picture, is a sheet of pictures, or carries no recipe.
    """
    recipe = _read(path, (chunk,), writer)
    if SHEET in recipe:
        command = shortened(f"{writer} {recipe[SHEET]}", 40)
        raise ValueError(f"{path} is a sheet that `{command}` has drawn, no picture: run that command again")
    return recipe


def read_any(path: str | Path) -> dict[str, Any]:
    """What a PNG of ours carries, whichever command has written it: a recipe, or what a sheet shows.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries nothing of ours.
    """
    return _read(path, CHUNKS, " or ".join(CHUNKS))


def _read(path: str | Path, chunks: Sequence[str], writer: str) -> dict[str, Any]:
    if Path(path).exists() and not Path(path).is_file():  # a pipe could be waited for without end
        raise ValueError(f"{path} is no file; give a PNG that {writer} has written")
    try:
        with told_as(f"{path} cannot be read", OSError, ValueError, EOFError, struct.error, zlib.error):
            found = (chunk_of(Path(path), chunk) for chunk in chunks)
            text = next((text for text in found if text is not None), None)
    except SyntaxError:  # the plugin's word for any other file
        raise ValueError(
            f"{path} is not a picture in PNG format; give one that {writer} has written"
        ) from None
    if text is None:
        raise ValueError(f"{path} carries no recipe; only PNGs that {writer} has written do")
    with told_as(f"{path} carries a damaged recipe", ValueError):
        return values_of(text)


def parsed(kind: type[Model], values: Mapping[str, Any]) -> Model:
    """A recipe of a kind from plain values, such as `read` gives.

    Raises:
        ValueError: an entry is missing, unknown or of the wrong type.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = problems(error)[0]
        if not first.place:  # entries that do not fit together
            raise ValueError(first.reason) from None
        raise ValueError(f"the recipe's entry {shown(first.path)} is wrong: {first.reason}") from None


def versions() -> dict[str, str]:
    """The versions of everything that pixels depend on."""
    return {name: metadata.version(name) for name in _PACKAGES} | {"python": platform.python_version()}


def changed_versions(then: Mapping[str, str]) -> list[str]:
    """What is installed in another version than `then`: "torch 2.13.0 (was 2.12.0)", and so on."""
    now = versions()
    names = [name for name in sorted(now.keys() | then.keys()) if now.get(name) != then.get(name)]
    return [
        f"{shortened(name, 40)} {now.get(name, 'missing')} (was {shortened(then.get(name, 'missing'), 40)})"
        for name in names[:_MOST_VERSIONS]
    ]
