"""The command line: `fouriscale generate`, `show`, `remake`, `presets`, `explain`, `validate`, `demo`, `page`; and
`batch`, `status`, `verify`, which both instruments share."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from picturelab.cli.arguments import number, whole
from picturelab.cli.batch import batch, status, verify
from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.cli.run import complain, print_version
from picturelab.files import output_file, slug
from picturelab.notation import control as parse_control
from picturelab.notation import parse_size, weighted
from picturelab.quiet import quieten

from .options import Mode, Preset, in_mode, read_preset
from .page import page
from .validate import validate

# Whatever imports torch is imported inside the commands, so that --help answers at once.
if TYPE_CHECKING:
    from ..config import FouriScaleConfig
    from ..sampling.generate import OnStep

app = typer.Typer(
    help="Sample a pretrained UNet beyond its training size with FouriScale.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_OUTPUTS = Path("outputs")
_Out = Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")]


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Sample a pretrained UNet beyond its training size with FouriScale."""


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; twice the training size if left out.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="shapeworld/unet, a diffusers folder, a .safetensors file or a hub id.")
    ] = "shapeworld/unet",
    preset: Preset = None,
    mode: Mode = None,
    negative: Annotated[str | None, typer.Option(help="What not to draw.")] = None,
    seed: Annotated[int, typer.Option(parser=whole, metavar="<int>", help="Decides the initial noise.")] = 0,
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Such as EulerDiscrete; the model's own if left out.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture to start from.")] = None,
    strength: Annotated[
        float | None,
        typer.Option(parser=number, metavar="<float>", help="How much of --image is made anew, up to 1."),
    ] = None,
    mask: Annotated[Path | None, typer.Option(help="White where --image is drawn anew.")] = None,
    control: Annotated[
        list[str] | None, typer.Option(help="A ControlNet, MODEL=PICTURE or MODEL=PICTURE@SCALE; repeatable.")
    ] = None,
    lora: Annotated[list[str] | None, typer.Option(help="A LoRA, FILE or FILE@SCALE; repeatable.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Sample directly too, side by side.")] = False,
    out: _Out = _OUTPUTS,
    device: Device = None,
    dtype: Dtype = None,
    no_recipe: Annotated[bool, typer.Option("--no-recipe", help="Leave the recipe out of the PNG.")] = False,
) -> None:
    """Make a picture with FouriScale."""
    height_width = None if size is None else parse_size(size)
    path = output_file(out, f"{slug(prompt)}-{seed}")
    config = read_preset(preset)
    quieten()
    from picturelab.models import choose_device, choose_dtype

    from ..config import config_for
    from ..hooks.patch import fouriscale
    from ..loading.pipeline import load_pipeline, locate
    from ..sampling import generate as making
    from ..sampling.inputs import Inputs
    from ..sampling.recipe import save

    inputs = Inputs(
        image=image,
        strength=strength,
        mask=mask,
        controls=tuple(map(parse_control, control or ())),
        loras=tuple(map(weighted, lora or ())),
    )
    height_width = height_width or inputs.size
    checked_size = height_width or (making.SIZE_MULTIPLE, making.SIZE_MULTIPLE)
    making.check_request(
        *checked_size, [seed], 1 if steps is None else steps, 0.0 if guidance is None else guidance
    )
    choose_dtype(dtype, choose_device(device))
    locate(model)

    with Console(stderr=True).status(f"loading {model}"):
        pipe: Any = load_pipeline(model, device=device, dtype=dtype, preset=preset)
        config = in_mode(config or config_for(pipe.unet), mode)
        if scheduler is not None:
            pipe.scheduler = making.choose_scheduler(scheduler, pipe)
        with fouriscale(pipe, config):  # refuses here, before any sampling, what does not fit
            pass
    pipe.set_progress_bar_config(disable=True)
    height, width = height_width or config.scaled_size(2)
    settings: dict[str, Any] = dict(
        height=height,
        width=width,
        seed=seed,
        steps=steps,
        guidance=guidance,
        negative_prompt=negative,
        config=config,
        inputs=inputs,
    )
    with _progress(runs=2 if compare else 1) as on_step:
        if compare:
            picture = making.compare(pipe, prompt, **settings, on_step=on_step)
        else:
            (picture,) = making.generate(pipe, prompt, **settings, on_step=on_step)
    save(picture.image, path, None if no_recipe else picture.recipe)
    made = picture.recipe
    typer.echo(
        f"width {width}, height {height}, seed {seed}, {made.steps} steps, guidance {made.guidance:g}"
        f"{', VAE in tiles' if made.vae_tiling else ''}: {path}"
    )


@app.command()
def show(image: Annotated[Path, typer.Argument(help="A PNG that fouriscale has written.")]) -> None:
    """Print the recipe inside a picture, as JSON."""
    from ..sampling.recipe import read

    typer.echo(json.dumps(read(image), indent=2))


@app.command()
def remake(
    image: Annotated[Path, typer.Argument(help="A PNG that fouriscale has written.")],
    out: Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")],
) -> None:
    """Make the same picture again from the recipe inside it."""
    path = output_file(out, f"{image.stem}-remade")
    quieten()
    from picturelab.models import choose_device, choose_dtype, origin

    from ..loading.pipeline import load_pipeline, locate
    from ..sampling import generate as making
    from ..sampling.recipe import Recipe, changed_versions, read, save

    recipe = Recipe.parse(read(image))
    making.check_request(recipe.height, recipe.width, [recipe.seed], recipe.steps, recipe.guidance)
    choose_dtype(recipe.dtype, choose_device(recipe.device))
    preset = None if locate(recipe.model) != "file" else _preset_of(recipe.config)
    changed = changed_versions(recipe)
    if changed:
        complain(f"versions differ, so pixels may too: {', '.join(changed)}", "Warning")
    revision = recipe.revision if locate(recipe.model) == "hub" else None
    with Console(stderr=True).status(f"loading {recipe.model}"):
        pipe: Any = load_pipeline(
            recipe.model, device=recipe.device, dtype=recipe.dtype, preset=preset, revision=revision
        )
    pipe.set_progress_bar_config(disable=True)
    found = origin(pipe).revision
    if found != recipe.revision:
        complain(
            f"the weights of {recipe.model} are {found} and were {recipe.revision}, so pixels will differ",
            "Warning",
        )
    with _progress(runs=2 if recipe.compare else 1) as on_step:
        again = making.remake(pipe, recipe, on_step)
    save(again, path, recipe.model_copy(update={"versions": making.recipes.versions(), "revision": found}))
    typer.echo(f"width {recipe.width}, height {recipe.height}, seed {recipe.seed}: {path}")


@app.command()
def presets() -> None:
    """List the presets and the results they were checked with."""
    from ..config import preset_names, preset_notes

    table = Table("preset", "what it is", "checked with", show_lines=True)
    for name in preset_names():
        notes = preset_notes(name)
        table.add_row(name, notes["description"], notes["checked_with"])
    Console().print(table)


@app.command()
def explain(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")],
    model: Annotated[
        str, typer.Option(help="A preset, a folder with configs, or what `generate --model` takes.")
    ] = "shapeworld/unet",
    preset: Preset = None,
    mode: Mode = None,
    steps: Annotated[int, typer.Option(parser=whole, metavar="<int>", help="Of the run.")] = 50,
) -> None:
    """Print what would be done for a size and what it would cost; no weight is loaded."""
    height, width = parse_size(size)
    config = read_preset(preset)
    quieten()
    from ..loading.configs import unet_config, vae_scale_factor
    from ..reports.explain import explain as explaining
    from ..reports.explain import sentences

    found = unet_config(model, preset)
    config = in_mode(config or _config_for(found), mode)
    told = explaining(
        found, height, width, steps=steps, config=config, vae_scale_factor=vae_scale_factor(model, preset)
    )
    typer.echo("\n".join(sentences(told)))


@app.command()
def demo(out: Annotated[Path, typer.Option(help="A file ending in .png.")] = _OUTPUTS / "demo.png") -> None:
    """Direct sampling against FouriScale with the embedded model, in one picture."""
    path = output_file(out, "demo")
    quieten()
    from ..reports.demo import demo as draw

    draw(path)


for _command in (validate, page, batch, status, verify):
    app.command()(_command)


def _config_for(unet_config: dict[str, Any]) -> FouriScaleConfig:
    from ..config import config_for

    return config_for(unet_config)


@contextlib.contextmanager
def _progress(runs: int) -> Iterator[OnStep]:
    """A bar with step, dilation and time left over `runs` runs of the sampler, on stderr."""
    columns = (
        BarColumn(),
        TextColumn("step {task.completed}/{task.fields[of]}, dilation {task.fields[dilation]:.2f}"),
        TimeRemainingColumn(),
    )
    before = 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sampling", total=None, of="?", dilation=1.0)

        def on_step(step: int, steps: int, dilation: float) -> None:
            nonlocal before
            total = runs * steps
            bar.update(task, completed=before + step, total=total, of=total, dilation=dilation)
            before += steps if step == steps else 0

        yield on_step


def _preset_of(config: dict[str, Any] | None) -> str | None:
    """Which Stable Diffusion 2 a recipe's config was made for; other files tell for themselves."""
    sizes = config["training_sizes"] if config else []
    return "sd21-768" if [768, 768] in sizes else "sd21" if sizes == [[512, 512]] else None
