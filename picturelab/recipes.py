"""Pictures that carry how they were made, inside the PNG file."""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ValidationError

from .files import write_whole
from .settings import problems

Model = TypeVar("Model", bound=BaseModel)
_PACKAGES = ("fouriscale-padtone", "diffusers", "transformers", "torch", "pillow")


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
    try:
        write_whole(path, encoded(image, recipe, chunk))
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror or error})") from None


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


def read(path: str | Path, chunk: str, writer: str) -> dict[str, Any]:
    """The recipe inside a PNG, as plain values.

    Args:
        chunk: name of the PNG text chunk.
        writer: the command that writes it, for the message.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries no recipe.
    """
    try:
        with Image.open(path) as image:
            text = image.info.get(chunk)
    except Image.UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture; give a PNG that {writer} has written") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error})") from None
    if text is None:
        raise ValueError(f"{path} carries no recipe; only PNGs that {writer} has written do")
    try:
        recipe = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} carries a damaged recipe ({error})") from None
    if not isinstance(recipe, dict):
        raise ValueError(f"{path} carries a damaged recipe (no JSON object)")
    return recipe


def parsed(kind: type[Model], values: Mapping[str, Any]) -> Model:
    """A recipe of a kind from plain values, such as `read` gives.

    Raises:
        ValueError: an entry is missing, unknown or of the wrong type.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = problems(error)[0]
        raise ValueError(f"the recipe's entry {first.path!r} is wrong: {first.reason}") from None


def versions() -> dict[str, str]:
    """The versions of everything that pixels depend on."""
    return {name: metadata.version(name) for name in _PACKAGES} | {"python": platform.python_version()}


def changed_versions(then: Mapping[str, str]) -> list[str]:
    """What is installed in another version than `then`: "torch 2.13.0 (was 2.12.0)", and so on."""
    now = versions()
    names = [name for name in sorted(now.keys() | then.keys()) if now.get(name) != then.get(name)]
    return [f"{name} {now.get(name, 'missing')} (was {then.get(name, 'missing')})" for name in names]
