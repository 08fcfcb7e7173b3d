"""What a picture of an audit carries, and how it is made again from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import BaseModel, ValidationError

from picturelab.pipeline import Pipeline

from ..recipe import PadToneRecipe
from .arms import Painter, Work

if TYPE_CHECKING:
    from PIL import Image


class Machine(BaseModel):
    """Where it ran: pixels and seconds depend on it."""

    device: str
    threads: int


class AuditRecipe(PadToneRecipe):
    """Everything that decides one picture of an audit: which it is of the pictures that are made together.

    Attributes:
        arm: its full name, see `Work.name`.
        clean, pooled, batch: see `Painter`.
        precision: what the model was loaded in.
    """

    command: Literal["audit"] = "audit"
    arm: str
    seed: int
    work: Work
    precision: str
    clean: str
    pooled: str
    batch: int
    machine: Machine

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """From plain values, such as a picture carries.

        Raises:
            ValueError: an entry is missing, unknown or of the wrong type.
        """
        try:
            recipe = cls.model_validate(dict(values))
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise ValueError(f"the recipe is no audit's: {place!r} is missing or wrong") from None
        if recipe.arm not in map(recipe.work.name, recipe.work.arms) or recipe.seed not in recipe.work.seeds:
            raise ValueError(f"the recipe is no audit's: {(recipe.arm, recipe.seed)} is missing or wrong")
        return recipe


def machine_of(pipe: Pipeline) -> Machine:
    """Where a pipeline runs."""
    device = pipe._execution_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Machine(device=name, threads=torch.get_num_threads())


def remake(pipe: Pipeline, recipe: AuditRecipe) -> Image.Image:
    """The picture of a recipe, made in the same batch as then."""
    painter = Painter(pipe, recipe.call, recipe.clean, recipe.pooled, recipe.batch)
    pictures, _ = painter.make(recipe.work)
    return pictures[recipe.arm, recipe.seed]
