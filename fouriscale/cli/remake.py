"""The commands `fouriscale show` and `remake`, which read the recipe inside a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from picturelab.cli.options import Format, NoA1111, Quality
from picturelab.cli.output import picture_file
from picturelab.cli.progress import loading
from picturelab.cli.remaking import check_weights, warn_of_versions
from picturelab.cli.run import complain, say
from picturelab.failures import printable_json
from picturelab.formats import check_room
from picturelab.quiet import quieten

from .options import OUTPUTS
from .progress import sampling_bar


def show(
    image: Annotated[
        Path, typer.Argument(help="A picture that fouriscale or padtone has written, or a stranger's.")
    ],
) -> None:
    """Print the recipe inside a picture, what a sheet of ours shows, or what A1111 or ComfyUI says, as JSON."""
    from picturelab.foreign.pictures import foreign_settings
    from picturelab.recipes import CHUNKS, WRITERS, content_of, open_texts

    carried = open_texts(image, WRITERS)
    ours = any(chunk in carried.texts for chunk in CHUNKS)
    foreign = None if ours else foreign_settings(image, carried)
    values = content_of(image, carried) if foreign is None else foreign.plain()
    typer.echo(printable_json(json.dumps(values, indent=2)))


def remake(
    image: Annotated[Path, typer.Argument(help="A picture that fouriscale has written.")],
    out: Annotated[Path, typer.Option(help="A file ending in .png, .webp or .jpg, or a folder.")] = OUTPUTS,
    format: Format = None,
    quality: Quality = None,
    no_a1111: NoA1111 = False,
) -> None:
    """Make the same picture again from the recipe inside it."""
    path, kind = picture_file(out, f"{image.stem}-remade", format, quality)
    from picturelab.recipes import open_texts, recipe_of, versions

    from ..sampling.recipe import CHUNK, Recipe, save

    carried = open_texts(image, "fouriscale")
    recipe = Recipe.parse(recipe_of(image, carried, CHUNK, "fouriscale"))
    check_room(
        kind,
        recipe.height,
        recipe.width * (2 if recipe.compare else 1),
        recipe.prompt,
        recipe.negative_prompt,
    )
    quieten()
    from picturelab.models import choose_device, choose_dtype, origin

    from ..config_kinds import config_of
    from ..loading.pipeline import load_pipeline, locate
    from ..sampling import generate as sampling
    from ..sampling.inputs import Inputs
    from ..sampling.parameters import parameters_of
    from ..sampling.schedulers import recorded_scheduler

    sampling.check_request(recipe.height, recipe.width, [recipe.seed], recipe.steps, recipe.guidance)
    choose_dtype(recipe.dtype, choose_device(recipe.device))
    recorded_scheduler(recipe.scheduler, recipe.steps)
    Inputs.from_recorded(recipe.inputs)
    preset = None if locate(recipe.model) != "file" else _preset_of(recipe.config)
    warn_of_versions(recipe.versions)
    if carried.kind.lossy:
        complain(
            f"{image} is a {carried.kind.title}, whose pixels are not those that were sampled: the picture is made "
            "again as it was before, and nothing is compared",
            "Warning",
        )
    commit = recipe.revision if locate(recipe.model) == "hub" else None
    with Console(stderr=True).status(loading(recipe.model)):
        pipe: Any = load_pipeline(
            recipe.model, device=recipe.device, dtype=recipe.dtype, preset=preset, revision=commit
        )
    pipe.set_progress_bar_config(disable=True)
    revision = origin(pipe).revision
    check_weights(recipe.model, revision, recipe.revision)
    config = config_of(recipe.config) if recipe.config else None
    with sampling_bar(runs=2 if recipe.compare else 1, config=config) as on_step:
        again = sampling.remake(pipe, recipe, on_step)
    new = recipe.model_copy(update={"versions": versions(), "revision": revision})
    save(again, path, new, quality=quality, parameters=None if no_a1111 else parameters_of(new))
    say(f"width {recipe.width}, height {recipe.height}, seed {recipe.seed}: {path}")


def _preset_of(config: dict[str, Any] | None) -> str | None:
    """Which Stable Diffusion 2 a recipe's config was made for; other files tell for themselves."""
    sizes = config["training_sizes"] if config else []
    return "sd21-768" if [768, 768] in sizes else "sd21" if sizes == [[512, 512]] else None
