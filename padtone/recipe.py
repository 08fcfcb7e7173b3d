"""What a picture of ours carries, so that it can be made again: the chunk of its PNG, and what all recipes hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

from picturelab import recipes

if TYPE_CHECKING:
    from PIL import Image

RECIPE = "padtone"  # the PNG text chunk


class PadToneRecipe(BaseModel):
    """What every recipe holds.

    Attributes:
        command: what wrote it: "ite", "idp", "audit" or "batch".
        model: what `load_pipeline` takes.
        revision: a hub commit, or a fingerprint of local weights.
        call: what the pipeline was called with.
        versions: of the packages that pixels depend on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    model: str
    revision: str | None
    call: dict[str, Any]
    versions: dict[str, str]

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, such as a picture carries.

        Raises:
            ValueError: an entry is missing, unknown or of the wrong type.
        """
        return recipes.parsed(cls, values)


class PromptRecipe(PadToneRecipe):
    """What a recipe of one prompt's pictures holds besides: the prompt, and on what they were made."""

    prompt: str
    device: str
    dtype: str
    threads: int


def save_with_recipe(image: Image.Image, path: Path, recipe: dict | None) -> None:
    """Write a PNG that carries how it was made; see `picturelab.recipes.save`."""
    recipes.save(image, path, recipe, RECIPE)


def read_recipe(path: Path) -> dict:
    """The recipe of a picture.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries none.
    """
    return recipes.read(path, RECIPE, "padtone")
