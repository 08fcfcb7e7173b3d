"""What a picture was made of, kept inside the PNG file."""

from __future__ import annotations

import json
import os
import platform
import secrets
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

_CHUNK = "fouriscale"  # the PNG text chunk
_PACKAGES = ("diffusers", "transformers", "torch", "pillow")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """A file that a picture was made from."""

    path: str
    sha256: str


class Control(_Part):
    """A ControlNet and its picture."""

    model: str
    revision: str | None
    picture: File
    scale: float


class Lora(_Part):
    """A LoRA and its scale."""

    file: File
    scale: float


class Conditioning(_Part):
    """What went into a picture besides the prompt."""

    image: File | None = None
    strength: float | None = None
    mask: File | None = None
    controls: list[Control] = []
    loras: list[Lora] = []


class Recipe(BaseModel):
    """Everything that decides a picture's pixels. Sizes are in pixels.

    Pixels are equal, bit for bit, for an equal recipe on the same kind of processor: batch size, thread
    count and versions belong to it, since floating-point sums depend on them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    revision: str | None  # a hub commit, or a fingerprint of local weights
    prompt: str
    negative_prompt: str | None
    seed: int
    height: PositiveInt
    width: PositiveInt
    steps: PositiveInt
    guidance: float
    config: dict[str, Any] | None  # FouriScaleConfig's fields; None for direct sampling
    compare: bool = False  # direct sampling and FouriScale, side by side in one picture
    batch_size: PositiveInt
    batch_index: int  # the picture's place in its batch
    vae_tiling: bool
    scheduler: dict[str, Any]  # its class and config
    threads: PositiveInt
    dtype: str
    device: str
    versions: dict[str, str]
    inputs: Conditioning = Conditioning()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from plain values, such as `read` gives.

        Raises:
            ValueError: an entry is missing, unknown or of the wrong type.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"the recipe's entry {place!r} is wrong: {first['msg']}") from None


def save(image: Image.Image, path: str | Path, recipe: Recipe | Mapping[str, Any] | None) -> None:
    """Write a PNG with its recipe, whole or not at all. Missing folders are made.

    Args:
        image: the picture.
        path: a file ending in .png; one that is there is replaced.
        recipe: a `Recipe`, or any mapping that JSON can hold; None leaves it out.

    Raises:
        ValueError: the path does not end in .png, or cannot be written.
        TypeError: the recipe holds something that JSON cannot.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: pictures are written as PNG, so name a file that ends in .png")
    chunks = PngImagePlugin.PngInfo()
    if recipe is not None:
        plain = recipe.model_dump() if isinstance(recipe, Recipe) else dict(recipe)
        chunks.add_text(_CHUNK, json.dumps(plain))
    part = path.with_name(
        f".{path.name}.{secrets.token_hex(4)}.part"
    )  # beside it, so that renaming is atomic
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(part, format="PNG", pnginfo=chunks)
        os.replace(part, path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror or error})") from None
    finally:
        _remove(part)


def read(path: str | Path) -> dict[str, Any]:
    """The recipe inside a PNG, as plain values.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries no recipe.
    """
    try:
        with Image.open(path) as image:
            text = image.info.get(_CHUNK)
    except Image.UnidentifiedImageError:
        raise ValueError(f"{path} is not a picture; give a PNG that fouriscale has written") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror or error})") from None
    if text is None:
        raise ValueError(f"{path} carries no recipe; only PNGs that fouriscale has written do")
    try:
        recipe = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} carries a damaged recipe ({error})") from None
    if not isinstance(recipe, dict):
        raise ValueError(f"{path} carries a damaged recipe (no JSON object)")
    return recipe


def versions() -> dict[str, str]:
    """The versions of everything that pixels depend on."""
    from . import __version__

    installed = {name: metadata.version(name) for name in _PACKAGES}
    return {"fouriscale-padtone": __version__, **installed, "python": platform.python_version()}


def changed_versions(recipe: Recipe) -> list[str]:
    """What is installed in another version than the recipe's: "torch 2.13.0 (was 2.12.0)", and so on."""
    now = versions()
    names = [
        name
        for name in sorted(now.keys() | recipe.versions.keys())
        if now.get(name) != recipe.versions.get(name)
    ]
    return [
        f"{name} {now.get(name, 'missing')} (was {recipe.versions.get(name, 'missing')})" for name in names
    ]


def _remove(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except NotADirectoryError:  # its folder is a file, so nothing was written
        return
