"""What a picture was made of, kept inside the PNG file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, PositiveInt

from picturelab import recipes

CHUNK = "fouriscale"  # the PNG text chunk


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
        return recipes.parsed(cls, values)


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
    recipes.save(image, path, recipe.model_dump() if isinstance(recipe, Recipe) else recipe, CHUNK)


def read(path: str | Path) -> dict[str, Any]:
    """The recipe inside a PNG, as plain values.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries no recipe.
    """
    return recipes.read(path, CHUNK, "fouriscale")
