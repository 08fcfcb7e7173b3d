"""How the commands load a pipeline that padtone knows. Heavy imports wait until then."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from picturelab.cli.remaking import check_weights, warn_of_versions
from picturelab.quiet import quieten

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

    from ..recipe import PromptRecipe

Recipe = TypeVar("Recipe", bound="PromptRecipe")


def check_model(model: str, *prompts: str | None, dtype: str | None = None) -> None:
    """Refuse a model or dtype that there is not before anything heavy is imported; remark on words it cannot read.

    Raises:
        ValueError: there is no such model or dtype.
    """
    from picturelab.model_names import check_dtype, locate
    from picturelab.prompts import remark_unknown_words

    check_dtype(dtype)
    locate(model)
    remark_unknown_words(model, *prompts)


def load(model: str, device: str | None, dtype: str | None, revision: str | None = None) -> Pipeline:
    """A pipeline that padtone knows.

    Raises:
        ValueError: see `picturelab.models.load_pipeline`; a pipeline that padtone does not know.
    """
    quieten()
    from picturelab import models

    from ..families.registry import check_index

    kind = models.locate(model)
    pipe: Pipeline = models.load_pipeline(
        model,
        device=device or None,
        dtype=dtype or None,
        revision=revision if kind == "hub" else None,
        check=check_index,
    )
    pipe.set_progress_bar_config(disable=not sys.stderr.isatty())
    return pipe


def load_for_audit(model: str, device: str | None, dtype: str | None) -> Pipeline:
    """The same, Latent Diffusion's first model too, without a bar for each picture.

    Raises:
        ValueError: see `load`.
    """
    from ..families.ldm import is_ldm, load_ldm

    pipe = load_ldm(model, device, dtype) if is_ldm(model) else load(model, device, dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load_for(recipe: Recipe) -> tuple[Recipe, Pipeline]:
    """A recipe as it holds now, and its pipeline; says what has changed since.

    Raises:
        ValueError: see `load`.
    """
    from picturelab.models import origin

    warn_of_versions(recipe.versions)
    pipe = load(recipe.model, recipe.device, recipe.dtype, recipe.revision)
    revision = origin(pipe).revision
    check_weights(recipe.model, revision, recipe.revision)
    return recipe.model_copy(update={"revision": revision}), pipe
