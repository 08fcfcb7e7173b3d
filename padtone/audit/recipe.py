"""What a picture of an audit carries, and how it is made again from that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import torch
from pydantic import BaseModel, ValidationError

from picturelab.bounds import Batch, Seed, Threads
from picturelab.pipeline import Pipeline

from ..recipe import PadToneRecipe
from .arms import Work
from .painter import Painter
from .settings import check_numbers

if TYPE_CHECKING:
    from PIL import Image


class Machine(BaseModel):
    """Where it ran: pixels and seconds depend on it."""

    device: str
    threads: Threads


class AuditRecipe(PadToneRecipe):
    """Everything that decides one picture of an audit: which it is of the pictures that are made together.

    Attributes:
        arm: its full name, see `Work.name`.
        clean, pooled, batch: see `Painter`.
        precision: what the model was loaded in.
    """

    command: Literal["audit"] = "audit"
    arm: str
    seed: Seed
    work: Work
    precision: str
    clean: str
    pooled: str
    batch: Batch
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
        try:
            recipe.work.check()
            check_numbers(recipe.call)
        except ValueError as error:
            raise ValueError(f"the recipe is no audit's: {error}") from None
        return recipe


def machine_of(pipe: Pipeline) -> Machine:
    """Where a pipeline runs."""
    device = pipe._execution_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return Machine(device=name, threads=torch.get_num_threads())


def remake(pipe: Pipeline, recipe: AuditRecipe) -> Image.Image:
    """The picture of a recipe, made in the same batch as then.

    Raises:
        ValueError: the pipeline has no such picture.
    """
    painter = Painter(pipe, recipe.call, recipe.clean, recipe.pooled, recipe.batch)
    painted = painter.make(recipe.work)
    if recipe.arm in painted.left_out:
        raise ValueError(f"arm {recipe.arm} cannot be made: {painted.left_out[recipe.arm]}")
    return painted.pictures[recipe.arm, recipe.seed]
