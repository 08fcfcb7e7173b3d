"""What a picture was made of, kept inside its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, model_validator

from picturelab import recipes
from picturelab.bounds import (
    Batch,
    Guidance,
    Height,
    Name,
    Prompt,
    Scale,
    Seed,
    Steps,
    Threads,
    Width,
)
from picturelab.text_lengths import EncodingEntry

from ..config_kinds import config_of
from .cascade import Cascade

CHUNK = "fouriscale"  # the name that it has in a file


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class File(_Part):
    """A file that a picture was made from."""

    path: Name
    sha256: Name


class Control(_Part):
    """A ControlNet and its picture."""

    model: Name
    revision: Name | None
    picture: File
    scale: Scale


class Lora(_Part):
    """A LoRA and its scale."""

    file: File
    scale: Scale


class Conditioning(_Part):
    """What went into a picture besides the prompt."""

    image: File | None = None
    strength: float | None = None
    mask: File | None = None
    controls: list[Control] = []
    loras: list[Lora] = []


class Recipe(EncodingEntry):
    """Everything that decides a picture's pixels. Sizes are in pixels.

    Pixels are equal, bit for bit, for an equal recipe on the same kind of processor: batch size, thread
    count and versions belong to it, since floating-point sums depend on them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name
    revision: Name | None  # a hub commit, or a fingerprint of local weights
    prompt: Prompt
    negative_prompt: Prompt | None
    seed: Seed
    height: Height
    width: Width
    steps: Steps
    guidance: Guidance
    config: dict[str, Any] | None  # FouriScaleConfig's fields or PositionConfig's; None for direct sampling
    compare: bool = False  # direct sampling and FouriScale, side by side in one picture
    batch_size: Batch
    batch_index: int  # the picture's place in its batch
    vae_tiling: bool
    scheduler: dict[str, Any]  # its class and config
    threads: Threads
    dtype: Name
    device: Name
    versions: dict[str, str]
    inputs: Conditioning = Conditioning()
    cascade: dict[str, Any] | None = None  # Cascade's fields; None where it was sampled once

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Recipe:
        """A recipe from plain values, such as `read` gives.

        Raises:
            ValueError: an entry is missing, unknown, of the wrong type or out of bounds, or two do not fit together.
        """
        return recipes.parsed(cls, values)

    @model_validator(mode="after")
    def _together(self) -> Recipe:
        if not 0 <= self.batch_index < self.batch_size:
            raise ValueError(
                f"the recipe's batch_index={self.batch_index} lies outside its batch of {self.batch_size}"
            )
        if self.compare and self.config is None:
            raise ValueError("the recipe is of a comparison but holds no FouriScale config")
        if self.config is not None:
            try:
                config_of(self.config)
            except (ValueError, TypeError) as error:
                raise ValueError(f"the recipe's config is wrong: {error}") from None
        if self.cascade is not None:
            try:
                Cascade(**self.cascade)
            except (ValueError, TypeError) as error:
                raise ValueError(f"the recipe's cascade is wrong: {error}") from None
            if self.config is None:
                raise ValueError("the recipe is of a cascade but holds no FouriScale config")
        return self


def save(
    image: Image.Image,
    path: str | Path,
    recipe: Recipe | Mapping[str, Any] | None,
    *,
    quality: int | None = None,
    parameters: str | None = None,
) -> None:
    """Write a picture with its recipe, whole or not at all. Missing folders are made.

    Args:
        image: the picture.
        path: a file ending in .png, .webp, .jpg or .jpeg; one that is there is replaced.
        recipe: a `Recipe`, or any mapping that JSON can hold; None leaves it out.
        quality: of WebP and JPEG, 1 to 100; None takes 90.
        parameters: the same in A1111's words, from `parameters_of`; None leaves them out.

    Raises:
        ValueError: the path ends in something else, or cannot be written; the quality is out of bounds.
        TypeError: the recipe holds something that JSON cannot.
    """
    values = recipe.model_dump() if isinstance(recipe, Recipe) else recipe
    recipes.save(image, path, values, CHUNK, quality=quality, parameters=parameters)


def read(path: str | Path) -> dict[str, Any]:
    """The recipe inside a picture, as plain values.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries no recipe.
    """
    return recipes.read(path, CHUNK, "fouriscale")
