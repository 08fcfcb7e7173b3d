"""The command line: padtone roles, ite, idp, remake. Heavy imports wait until a command runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.cli.run import complain, print_version
from picturelab.files import output_file, slug
from picturelab.notation import parse_size
from picturelab.quiet import quieten

from .audit import audit, remake_audit
from .options import Clean, Length, Negative, Pooled

if TYPE_CHECKING:
    from ..maths.roles import TokenRoles
    from ..runs.request import Request

app = typer.Typer(
    help="See, swap, mask and trim the padding tokens of text-to-image models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(audit)

_OUTPUTS = Path("outputs")
Prompt = Annotated[str, typer.Argument(help="The prompt.")]
Model = Annotated[str, typer.Option(help="shapeworld/unet, a diffusers folder or a hub id.")]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 0,1,2 or 0-5.")]
Out = Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels; the model's own if left out.")]
Arms = Annotated[
    str, typer.Option(help='Arms, separated by commas: full, prompt, padding, "padding 1/5", eos, clean.')
]


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """See, swap, mask and trim the padding tokens of text-to-image models."""


@app.command()
def roles(
    prompt: Prompt,
    model: Model = "shapeworld/unet",
    max_length: Length = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Draw the tokens too: a file ending in .png.")] = None,
) -> None:
    """Show what each text encoder makes of a prompt: tokens, ids and roles."""
    _at_least("max-length", max_length, 1)
    path = None if out is None else output_file(out, f"roles-{slug(prompt)}")
    from ..families.registry import family_of
    from ..interventions.ite import token_roles
    from ..reports.grid import roles_sheet, save_with_recipe
    from ..runs.request import call_arguments

    pipe = _load(model, "cpu", None)
    options = {
        key: value
        for key, value in call_arguments(pipe, model, max_length=max_length).items()
        if key == "max_sequence_length"
    }
    entries = token_roles(pipe, prompt, **options)
    if path is not None:
        save_with_recipe(roles_sheet(entries, prompt), path, None)
    if as_json:
        keys = ("name", "tokens", "ids", "roles", "cut")
        typer.echo(
            json.dumps([{key: getattr(entry, key) for key in keys} for entry in entries], ensure_ascii=False)
        )
        return
    for entry in entries:
        where = (
            "pooled vector only"
            if entry.rows is None
            else f"rows {entry.rows.start} to {entry.rows.stop - 1}"
        )
        typer.echo(f"{entry.name}: {len(entry.ids)} tokens, {where}")
        for line in _runs(entry):
            typer.echo(f"  {line}")
    family = family_of(pipe)
    typer.echo(f"{family.title}: {family.note}")


def _runs(entry: TokenRoles) -> list[str]:
    """One line per token, but one per run of the same padding."""
    lines, i = [], 0
    while i < len(entry.ids):
        end = i + 1
        while end < len(entry.ids) and (entry.ids[end], entry.roles[end]) == (entry.ids[i], "padding"):
            end += 1
        place = str(i) if end - i == 1 or entry.roles[i] != "padding" else f"{i}-{end - 1}"
        end = end if entry.roles[i] == "padding" else i + 1
        lines.append(f"{place:>8}  {entry.roles[i]:<8}  {entry.ids[i]:>7}  {entry.tokens[i]}")
        i = end
    return lines


@app.command()
def ite(
    prompt: Prompt,
    model: Model = "shapeworld/unet",
    arms: Arms = "full,prompt,padding,clean",
    seeds: Seeds = "0",
    out: Out = _OUTPUTS,
    size: Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    max_length: Length = None,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Swap rows of the text encoding and draw each arm: does the encoder write into padding?"""
    _make("ite", locals())


@app.command()
def idp(
    prompt: Prompt,
    model: Model = "shapeworld/unet",
    arms: Arms = "full,prompt,padding,clean",
    layers: Annotated[
        str | None, typer.Option(help="Blocks to patch, such as 0,1,2 or 0-18; all if left out.")
    ] = None,
    span: Annotated[str, typer.Option(help="Part of the run to patch, START,STOP as fractions.")] = "0,1",
    seeds: Seeds = "0",
    out: Out = _OUTPUTS,
    size: Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    max_length: Length = None,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Swap text rows inside the denoiser, block by block: does it use padding as scratch space?"""
    _make("idp", locals())


@app.command()
def remake(
    image: Annotated[Path, typer.Argument(help="A PNG that padtone ite, idp, audit or a batch has written.")],
    out: Out = _OUTPUTS,
) -> None:
    """Make a picture again from the recipe that it carries."""
    path = output_file(out, f"{image.stem}-remade")
    import torch

    from ..reports.grid import read_recipe, save_with_recipe
    from ..runs.request import Request

    recipe = read_recipe(image)
    if recipe.get("command") == "audit":
        save_with_recipe(remake_audit(recipe), path, recipe)
        typer.echo(f"arm {recipe['arm']}; seed {recipe['seed']}: {path}")
        return
    if recipe.get("command") == "batch":
        from ..runs.batch import Arm
        from ..runs.batch import remake as remake_arm

        arm, pipe = _ready(Arm.parse(recipe))
        save_with_recipe(remake_arm(pipe, arm), path, arm.model_dump())
        typer.echo(f"arm {arm.keep}; seed {arm.seed}: {path}")
        return
    request, pipe = _ready(Request.parse(recipe))
    torch.set_num_threads(request.threads)
    _write(pipe, request, path)


def _ready(made: Any) -> tuple[Any, Any]:
    """A recipe as it holds now, and its pipeline; says what has changed since."""
    from picturelab.models import origin
    from picturelab.recipes import changed_versions

    changed = changed_versions(made.versions)
    if changed:
        complain(f"versions differ, so pixels may too: {', '.join(changed)}", "Warning")
    pipe = _load(made.model, made.device, made.dtype, made.revision)
    found = origin(pipe).revision
    if found != made.revision:
        complain(
            f"the weights of {made.model} are {found} and were {made.revision}, so pixels will differ",
            "Warning",
        )
    return made.model_copy(update={"revision": found}), pipe


def _make(command: Literal["ite", "idp"], given: dict[str, Any]) -> None:
    """Check what was typed before anything is loaded, then load, draw and write."""
    size = None if given["size"] is None else parse_size(given["size"])
    if size is not None:
        _at_least("height", size[0], 1)
        _at_least("width", size[1], 1)
    for name, least in (("steps", 1), ("max_length", 1), ("guidance", 0)):
        _at_least(name.replace("_", "-"), given[name], least)
    seeds, arms = _integers("seeds", given["seeds"]), _arms(given["arms"])
    layers = _integers("layers", given["layers"]) if given.get("layers") is not None else None
    span = _span(given["span"]) if "span" in given else (0.0, 1.0)
    path = output_file(given["out"], f"{command}-{slug(given['prompt'])}")
    import torch

    from picturelab.models import choose_device, choose_dtype, origin
    from picturelab.recipes import versions

    from ..interventions.arguments import check_arms, check_choices
    from ..runs.request import Request, call_arguments

    check_arms(arms)
    check_choices(given["clean"], given["pooled"])
    device = choose_device(given["device"])
    dtype = str(choose_dtype(given["dtype"], device)).removeprefix("torch.")
    pipe = _load(given["model"], str(device), dtype)
    call = {name: given[name] for name in ("steps", "guidance", "negative", "max_length")}
    request = Request(
        command=command,
        prompt=given["prompt"],
        model=given["model"],
        revision=origin(pipe).revision,
        arms=list(arms),
        seeds=seeds,
        clean=given["clean"],
        pooled=given["pooled"],
        layers=layers,
        span=span,
        call=call_arguments(pipe, given["model"], size=size, **call),
        device=str(device),
        dtype=dtype,
        threads=torch.get_num_threads(),
        versions=versions(),
    )
    _write(pipe, request, path)


def _write(pipe: Any, request: Request, path: Path) -> None:
    from ..reports.grid import save_with_recipe
    from ..runs.request import draw

    grid = draw(pipe, request)
    save_with_recipe(grid, path, request.model_dump())
    arms = [*(["donor"] if request.command == "idp" else []), *map(str, request.arms)]
    typer.echo(f"arms {', '.join(arms)}; seeds {', '.join(map(str, request.seeds))}: {path}")


def _load(model: str, device: str | None, dtype: str | None, revision: str | None = None) -> Any:
    """A pipeline that padtone knows."""
    quieten()
    from picturelab import models

    from ..families.registry import check_known

    kind = models.locate(model)
    pipe: Any = models.load_pipeline(
        model,
        device=device or None,
        dtype=dtype or None,
        revision=revision if kind == "hub" else None,
        check=lambda index, name: check_known(index.get("_class_name"), name),
    )
    pipe.set_progress_bar_config(disable=not sys.stderr.isatty())
    return pipe


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not least <= value < float("inf"):
        raise ValueError(f"{name} is {value}; it is a finite number, at least {least}")


def _arms(text: str) -> list[str]:
    arms = [arm.strip() for arm in text.split(",") if arm.strip()]
    if not arms:
        raise ValueError(f"arms is {text!r}; name at least one, such as full,padding")
    return arms


def _integers(name: str, text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"{name} is {text!r}; it is a list such as 0,1,2 or a range such as 0-5")
        numbers.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return numbers


def _span(text: str) -> tuple[float, float]:
    try:
        start, stop = map(float, text.split(","))
    except ValueError:
        start, stop = 1.0, 0.0
    if not 0 <= start < stop <= 1:
        raise ValueError(f"span is {text!r}; it is START,STOP as fractions of the run, such as 0,0.5")
    return start, stop
