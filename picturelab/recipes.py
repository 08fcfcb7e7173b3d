"""Pictures that carry how they were made, inside their file."""

from __future__ import annotations

import json
import platform
import struct
import zlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from PIL import Image
from pydantic import BaseModel, ValidationError

from . import embedded
from .bounds import shown
from .embedded import EmbeddedTexts
from .failures import told_as
from .files import write_whole
from .formats import PNG, PictureFormat, check_quality, format_of
from .settings import problems, shortened
from .textfiles import parse_json

Model = TypeVar("Model", bound=BaseModel)
OURS = "fouriscale-padtone"
CHUNKS = ("fouriscale", "padtone")  # each called like the command that writes it
WRITERS = " or ".join(CHUNKS)
SHEET = "sheet"  # the entry of what shows several pictures and is none: the command that has drawn it
_PACKAGES = (OURS, "diffusers", "transformers", "torch", "pillow")
_LONGEST = 2**20  # letters of a recipe; prompts are bounded, so that ours are far shorter
_DAMAGE = (OSError, ValueError, EOFError, LookupError, struct.error, zlib.error, MemoryError)
_MOST_VERSIONS = 20  # named in a warning; a recipe could hold any number


def save(
    image: Image.Image,
    path: str | Path,
    recipe: Mapping[str, Any] | None,
    chunk: str,
    *,
    quality: int | None = None,
    parameters: str | None = None,
) -> None:
    """Write a picture with its recipe, whole or not at all. Missing folders are made.

    Args:
        image: the picture.
        path: a file ending in .png, .webp, .jpg or .jpeg; one that is there is replaced.
        recipe: any mapping that JSON can hold; None leaves it out.
        chunk: name of the PNG text chunk, and of the property of other formats.
        quality: of WebP and JPEG, 1 to 100; None takes the usual one.
        parameters: text for other programs, see `picturelab.foreign.a1111`.

    Raises:
        ValueError: the path ends in something else, or cannot be written.
        TypeError: the recipe holds something that JSON cannot.
    """
    path = Path(path)
    kind = format_of(path)
    check_quality(kind, quality)
    # PIL raises an OSError too, for kinds of pictures that the format has not.
    with told_as(f"{path} cannot be written", OSError, ValueError):
        write_whole(path, encoded(image, recipe, chunk, kind=kind, quality=quality, parameters=parameters))


def encoded(
    image: Image.Image,
    recipe: Mapping[str, Any] | None,
    chunk: str,
    *,
    kind: PictureFormat = PNG,
    quality: int | None = None,
    parameters: str | None = None,
) -> bytes:
    """A file with its recipe, as `save` writes it.

    Raises:
        TypeError: the recipe holds something that JSON cannot.
        ValueError: the format has no room for the picture or its recipe. OSError: it has no such pixels.
    """
    # A PNG's text is ASCII, as it has always been. Others have less room, and hold any letter.
    text = None if recipe is None else (chunk, json.dumps(dict(recipe), ensure_ascii=kind is PNG))
    return embedded.encoded(image, kind, quality=quality, recipe=text, parameters=parameters)


def chunk_of(file: Path | BinaryIO, chunk: str, *, checksums: bool = False) -> str | None:
    """A recipe's text in a picture of any size, for no pixel is decoded; None: there is none.

    Args:
        chunk: its name.
        checksums: whether to compare those of a PNG's chunks, the pixels' too.

    Raises:
        SyntaxError: it is no picture of ours, or damaged. OSError, ValueError, EOFError, struct.error, zlib.error: it
            is damaged.
    """
    return embedded.texts_of(file, checksums=checksums).texts.get(chunk)


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
    """The recipe inside a picture, as plain values, so that the picture can be made again.

    Args:
        chunk: its name there.
        writer: the command that writes it, for the message.

    Raises:
        ValueError: the file cannot be read, is no picture, is a sheet of pictures, or carries no recipe.
    """
    return recipe_of(path, open_texts(path, writer), chunk, writer)


def read_any(path: str | Path) -> dict[str, Any]:
    """What a picture of ours carries, whichever command has written it: a recipe, or what a sheet shows.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries nothing of ours.
    """
    return content_of(path, open_texts(path, WRITERS))


def open_texts(path: str | Path, writer: str) -> EmbeddedTexts:
    """Every text inside a picture.

    Args:
        writer: the command that writes such pictures, for the message.

    Raises:
        ValueError: the file cannot be read, or is no picture.
    """
    if Path(path).exists() and not Path(path).is_file():  # a pipe could be waited for without end
        raise ValueError(f"{path} is no file; give a picture that {writer} has written")
    try:
        with told_as(f"{path} cannot be read", *_DAMAGE):
            return embedded.texts_of(Path(path))
    except SyntaxError:  # Pillow's word for any other file
        raise ValueError(
            f"{path} is not a picture in PNG, WebP or JPEG format; give one that {writer} has written"
        ) from None


def recipe_of(path: str | Path, carried: EmbeddedTexts, chunk: str, writer: str) -> dict[str, Any]:
    """The recipe among a picture's texts, as plain values. Arguments are those of `read`.

    Raises:
        ValueError: it is not there, or damaged, or the picture is a sheet of several.
    """
    recipe = _values(path, carried.texts.get(chunk), writer)
    if SHEET in recipe:
        command = shortened(f"{writer} {recipe[SHEET]}", 40)
        raise ValueError(f"{path} is a sheet that `{command}` has drawn, no picture: run that command again")
    return recipe


def content_of(path: str | Path, carried: EmbeddedTexts) -> dict[str, Any]:
    """What of ours stands among a picture's texts, see `read_any`.

    Raises:
        ValueError: nothing does, or it is damaged.
    """
    return _values(
        path, next((carried.texts[chunk] for chunk in CHUNKS if chunk in carried.texts), None), WRITERS
    )


def _values(path: str | Path, text: str | None, writer: str) -> dict[str, Any]:
    if text is None:
        raise ValueError(f"{path} carries no recipe; only pictures that {writer} has written do")
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
