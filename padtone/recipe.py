"""What a picture of ours carries, so that it can be made again: the chunk of its PNG, and what all recipes hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict

from picturelab import recipes
from picturelab.bounds import BOUNDS, Name, Prompt, Threads, check, check_prompt, shown

if TYPE_CHECKING:
    from PIL import Image

RECIPE = "padtone"  # the PNG text chunk
SHEET = recipes.SHEET


# What the numbers among a pipeline's arguments are bound by.
_CALL = {
    "num_inference_steps": "steps",
    "height": "height",
    "width": "width",
    "guidance_scale": "guidance",
    "true_cfg_scale": "guidance",
    "max_sequence_length": "tokens",
    "num_images_per_prompt": "batch",
}


def check_call(call: dict[str, Any]) -> dict[str, Any]:
    """Arguments for a pipeline's call, if they are plain values within bounds.

    Raises:
        ValueError: one is not.
    """
    for name, value in call.items():
        if name in _CALL:
            check(name, value, _CALL[name])
        elif isinstance(value, str):
            check_prompt(name, value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            check(name, value, "argument")
        elif value is not None and not isinstance(value, bool) and not _numbers(value):
            raise ValueError(
                f"{name}={shown(value)}: must be a number, text, true, false, null or a few numbers"
            )
    return call


def _numbers(value: Any) -> bool:
    """Whether it is a short list of numbers, such as a size."""
    argument = BOUNDS["argument"]
    return isinstance(value, list | tuple) and len(value) <= 8 and all(map(argument.holds, value))


class PadToneRecipe(BaseModel):
    """What every recipe holds.

    Attributes:
        command: what wrote it: "ite", "idp", "replace", "audit" or "batch".
        model: what `load_pipeline` takes.
        revision: a hub commit, or a fingerprint of local weights.
        call: what the pipeline was called with.
        versions: of the packages that pixels depend on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str
    model: Name
    revision: Name | None
    call: Annotated[dict[str, Any], AfterValidator(check_call)]
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

    prompt: Prompt
    device: Name
    dtype: Name
    threads: Threads


def save_with_recipe(image: Image.Image, path: Path, recipe: dict | None) -> None:
    """Write a PNG that carries how it was made; see `picturelab.recipes.save`."""
    recipes.save(image, path, recipe, RECIPE)


def read_recipe(path: Path) -> dict:
    """The recipe of a picture.

    Raises:
        ValueError: the file cannot be read, is no picture, or carries none.
    """
    return recipes.read(path, RECIPE, "padtone")
