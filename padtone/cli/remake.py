"""The command `padtone remake`. Heavy imports wait until it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from picturelab.cli.remaking import check_weights
from picturelab.cli.run import say
from picturelab.files import output_file
from picturelab.quiet import quieten

from .grid import write_grid
from .loading import load_for, load_for_audit
from .options import OUTPUTS, Out


def remake(
    image: Annotated[
        Path, typer.Argument(help="A PNG that padtone ite, idp, replace, audit or a batch has written.")
    ],
    out: Out = OUTPUTS,
) -> None:
    """Make a picture again from the recipe that it carries."""
    path = output_file(out, f"{image.stem}-remade")
    from ..recipe import read_recipe

    recipe = read_recipe(image)
    again = {"audit": _of_audit, "batch": _of_batch}.get(str(recipe.get("command")), _grid)
    again(recipe, path)


def _of_audit(values: Mapping[str, Any], path: Path) -> None:
    quieten()
    from picturelab.models import origin

    from ..audit.recipe import AuditRecipe
    from ..audit.recipe import remake as remake_of_audit
    from ..recipe import save_with_recipe

    recipe = AuditRecipe.parse(values)
    device = recipe.machine.device
    pipe = load_for_audit(recipe.model, device if device == "cpu" else None, recipe.precision)
    check_weights(recipe.model, origin(pipe).revision, recipe.revision)
    save_with_recipe(remake_of_audit(pipe, recipe), path, recipe.model_dump())
    say(f"arm {recipe.arm}; seed {recipe.seed}: {path}")


def _of_batch(values: Mapping[str, Any], path: Path) -> None:
    from ..recipe import save_with_recipe
    from ..runs.batch import Arm
    from ..runs.batch import remake as remake_arm

    arm, pipe = load_for(Arm.parse(values))
    save_with_recipe(remake_arm(pipe, arm), path, arm.model_dump())
    say(f"arm {arm.keep}; seed {arm.seed}: {path}")


def _grid(values: Mapping[str, Any], path: Path) -> None:
    import torch

    from ..runs.request import Request

    request, pipe = load_for(Request.parse(values))
    torch.set_num_threads(request.threads)
    write_grid(pipe, request, path)
