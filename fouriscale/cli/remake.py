"""The commands `fouriscale show` and `remake`, which read the recipe inside a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from picturelab.cli.progress import loading
from picturelab.cli.remaking import warn_of_versions, warn_of_weights
from picturelab.cli.run import say
from picturelab.failures import printable_json
from picturelab.files import output_file
from picturelab.quiet import quieten

from .progress import sampling_bar


def show(
    image: Annotated[Path, typer.Argument(help="A PNG that fouriscale or padtone has written.")],
) -> None:
    """Print the recipe inside a picture, or what a sheet of pictures shows, as JSON."""
    from picturelab.recipes import read_any

    typer.echo(printable_json(json.dumps(read_any(image), indent=2)))


def remake(
    image: Annotated[Path, typer.Argument(help="A PNG that fouriscale has written.")],
    out: Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")],
) -> None:
    """Make the same picture again from the recipe inside it."""
    path = output_file(out, f"{image.stem}-remade")
    from ..sampling.recipe import Recipe, read, save

    recipe = Recipe.parse(read(image))
    quieten()
    from picturelab.models import choose_device, choose_dtype, origin
    from picturelab.recipes import versions

    from ..loading.pipeline import load_pipeline, locate
    from ..sampling import generate as sampling
    from ..sampling.inputs import Inputs
    from ..sampling.schedulers import recorded_scheduler

    sampling.check_request(recipe.height, recipe.width, [recipe.seed], recipe.steps, recipe.guidance)
    choose_dtype(recipe.dtype, choose_device(recipe.device))
    recorded_scheduler(recipe.scheduler, recipe.steps)
    Inputs.from_recorded(recipe.inputs)
    preset = None if locate(recipe.model) != "file" else _preset_of(recipe.config)
    warn_of_versions(recipe.versions)
    commit = recipe.revision if locate(recipe.model) == "hub" else None
    with Console(stderr=True).status(loading(recipe.model)):
        pipe: Any = load_pipeline(
            recipe.model, device=recipe.device, dtype=recipe.dtype, preset=preset, revision=commit
        )
    pipe.set_progress_bar_config(disable=True)
    revision = origin(pipe).revision
    warn_of_weights(recipe.model, revision, recipe.revision)
    with sampling_bar(runs=2 if recipe.compare else 1) as on_step:
        again = sampling.remake(pipe, recipe, on_step)
    save(again, path, recipe.model_copy(update={"versions": versions(), "revision": revision}))
    say(f"width {recipe.width}, height {recipe.height}, seed {recipe.seed}: {path}")


def _preset_of(config: dict[str, Any] | None) -> str | None:
    """Which Stable Diffusion 2 a recipe's config was made for; other files tell for themselves."""
    sizes = config["training_sizes"] if config else []
    return "sd21-768" if [768, 768] in sizes else "sd21" if sizes == [[512, 512]] else None
