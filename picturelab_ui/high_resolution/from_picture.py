"""The page's values that a picture says: one of ours in its recipe, one of another program in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fouriscale import FouriScaleConfig
from fouriscale.config import MODES
from fouriscale.config_kinds import Config, config_of
from fouriscale.sampling.recipe import CHUNK, Recipe
from fouriscale.sampling.recipe import read as read_recipe
from picturelab.foreign.pictures import foreign_settings
from picturelab.foreign.settings import ForeignSettings
from picturelab.recipes import open_texts

from ..jobs.files import DIRECT, SCALED
from ..workshop import Workshop
from . import beside
from .config_fields import to_fields
from .order import AUTO, BOTH, cascade_fields


def of_recipe(workshop: Workshop, recipe: Recipe, sampling: str | None = None) -> dict[str, Any]:
    """The page's values that make a recipe's picture again; `sampling` overrules how it was made."""
    model = workshop.models.name_of(recipe.model)
    method = BOTH if recipe.compare else SCALED if recipe.config else DIRECT
    plain = {
        "prompt": recipe.prompt,
        "negative": recipe.negative_prompt or "",
        "model": model,
        "width": recipe.width,
        "height": recipe.height,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "guidance": recipe.guidance,
        "sampling": sampling or method,
        "preset": AUTO,
    } | cascade_fields(recipe.cascade)
    plain |= beside.of_recipe(workshop, recipe)[0]
    workshop.models.check(model)
    own = recipe.config
    config = config_of(own) if own else workshop.models.config(model)
    return plain | to_fields(_left_to_mode(config))


def of_foreign(found: ForeignSettings) -> dict[str, Any]:
    """The page's values that a picture of another program says; the other fields stay as they are.

    Not its model, which is a file on somebody's disk.
    """
    names = {"negative_prompt": "negative", "scheduler": "sampler"} | {
        name: name for name in ("prompt", "width", "height", "seed", "steps", "guidance")
    }
    values = {ours: found.settings[theirs] for theirs, ours in names.items() if theirs in found.settings}
    if values.get("sampler") not in beside.SAMPLERS:
        values.pop("sampler", None)
    return values


def _left_to_mode(config: Config) -> Config:
    """The same settings, those left open that are as the mode says: then another mode can be chosen there."""
    if not isinstance(config, FouriScaleConfig):
        return config
    names = (*MODES[config.mode], "grid_phases")
    usual = config.replace(**dict.fromkeys(names)).resolved()
    return config.replace(**{name: None for name in names if getattr(config, name) == getattr(usual, name)})


def of_file(workshop: Workshop, file: Path, both: bool = False) -> tuple[dict[str, Any], str]:
    """The values that a picture of ours or of another program says, and a sentence on that.

    Args:
        both: a picture of ours is to be sampled both ways.

    Raises:
        ValueError: it says nothing, or nothing that can be read.
    """
    foreign = read_foreign(file)
    if foreign is not None:
        return of_foreign(
            foreign
        ), f"What {foreign.program} says was taken. Mind: {'; '.join(foreign.remarks[:4])}."
    recipe = Recipe.parse(read_recipe(file))
    values = of_recipe(workshop, recipe, BOTH if both else None)
    remarks = beside.of_recipe(workshop, recipe)[1]
    mind = f" Mind: {'; '.join(remarks)}." if remarks else ""
    return values, f"Settings taken from the picture's recipe.{mind}"


def read_foreign(file: Path) -> ForeignSettings | None:
    """What a picture of A1111 or ComfyUI says; None: it is none, or has a recipe of ours."""
    carried = open_texts(file, "this page")
    return None if CHUNK in carried.texts else foreign_settings(file.name, carried)
