"""The command line: padtone roles, ite, idp, remake. Heavy imports wait until a command runs."""

from __future__ import annotations

import json
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .audit_cli import audit, remake_audit

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

app = typer.Typer(
    help="See, swap, mask and trim the padding tokens of text-to-image models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(audit)

_SIZE = re.compile(r"(\d+)x(\d+)")
Prompt = Annotated[str, typer.Argument(help="The prompt.")]
Model = Annotated[
    str,
    typer.Option(help="A folder or hub name of a diffusers pipeline, or shapeworld for the shipped model."),
]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 0,1,2.")]
Out = Annotated[Path, typer.Option(help="The grid to write, a PNG.")]
Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels; the model's own if empty.")]
Steps = Annotated[int, typer.Option(help="Inference steps; 0 for the pipeline's own.")]
Guidance = Annotated[float, typer.Option(help="Guidance scale; below 0 for the pipeline's own.")]
Negative = Annotated[str, typer.Option(help="Negative prompt, the same for every arm.")]
Length = Annotated[int, typer.Option(help="max_sequence_length; 0 for the pipeline's own.")]
Arms = Annotated[
    str, typer.Option(help='Arms, separated by commas: full, prompt, padding, "padding 1/5", eos, clean.')
]
Clean = Annotated[str, typer.Option(help="What a swapped row becomes: padding or empty_prompt.")]
Pooled = Annotated[str, typer.Option(help="The pooled vector's source: full or clean.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or mps; the fastest there is if empty.")]
Dtype = Annotated[
    str, typer.Option(help="float32, float16 or bfloat16; float32 on the CPU, else float16, if empty.")
]


@app.command()
def roles(
    prompt: Prompt,
    model: Model = "shapeworld",
    max_length: Length = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each text encoder makes of a prompt: tokens, ids and roles."""
    from .embeds import token_roles

    options = {"max_sequence_length": max_length} if max_length else {}
    entries = token_roles(_load(model, "cpu", ""), prompt, **options)
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


def _runs(entry: Any) -> list[str]:
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
    model: Model = "shapeworld",
    arms: Arms = "full,prompt,padding,clean",
    seeds: Seeds = "0",
    out: Out = Path("ite.png"),
    size: Size = "",
    steps: Steps = 0,
    guidance: Guidance = -1.0,
    negative: Negative = "",
    max_length: Length = 0,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    device: Device = "",
    dtype: Dtype = "",
) -> None:
    """Swap rows of the text encoding and draw each arm: does the encoder write into padding?"""
    recipe = _recipe("ite", locals())
    _make(recipe, out)


@app.command()
def idp(
    prompt: Prompt,
    model: Model = "shapeworld",
    arms: Arms = "full,prompt,padding,clean",
    layers: Annotated[str, typer.Option(help="Blocks to patch, such as 0,1,2 or 0-18; all if empty.")] = "",
    span: Annotated[str, typer.Option(help="Part of the run to patch, START,STOP as fractions.")] = "0,1",
    seeds: Seeds = "0",
    out: Out = Path("idp.png"),
    size: Size = "",
    steps: Steps = 0,
    guidance: Guidance = -1.0,
    negative: Negative = "",
    max_length: Length = 0,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    device: Device = "",
    dtype: Dtype = "",
) -> None:
    """Swap text rows inside the denoiser, block by block: does it use padding as scratch space?"""
    recipe = _recipe("idp", locals())
    _make(recipe, out)


@app.command()
def remake(
    picture: Annotated[Path, typer.Argument(help="A PNG that padtone wrote.")],
    out: Out = Path("remade.png"),
) -> None:
    """Make a picture again from the recipe that it carries."""
    from .grid import read_recipe, save_with_recipe

    recipe = read_recipe(picture)
    if recipe.get("command") == "audit":
        save_with_recipe(remake_audit(recipe), out, recipe)
    else:
        _make(recipe, out)


def _recipe(command: str, values: dict) -> dict:
    """The settings as they were typed, and the versions they were run with."""
    from importlib.metadata import version

    settings = {key: value for key, value in values.items() if key != "out"}
    versions = {name: version(name) for name in ("torch", "diffusers", "transformers")}
    return {"command": command, "settings": settings, "versions": versions}


def _make(recipe: dict, out: Path) -> None:
    from . import diffusion, embeds
    from .grid import labelled_grid, save_with_recipe

    given = recipe["settings"]
    seeds = _integers("seeds", given["seeds"])
    pipe = _load(given["model"], given["device"], given["dtype"])
    swaps = {"arms": _arms(given["arms"]), "clean": given["clean"], "pooled": given["pooled"]}
    if recipe["command"] == "idp":
        layers = _integers("layers", given["layers"]) if given["layers"] else None
        images = diffusion.idp_arms(
            pipe,
            given["prompt"],
            seeds,
            layers=layers,
            steps=_span(given["span"]),
            **swaps,
            **_call(pipe, given),
        )
    else:
        images = embeds.ite(pipe, given["prompt"], seeds, **swaps, **_call(pipe, given))
    title = f'{recipe["command"]}: "{given["prompt"]}" (clean: {given["clean"]}, pooled: {given["pooled"]})'
    labels = [f"seed {seed}" for seed in seeds]
    save_with_recipe(labelled_grid({str(k): v for k, v in images.items()}, labels, title), out, recipe)
    shown = next(iter(images.values()))[0]
    typer.echo(
        f"wrote {out}: {len(images)} arms x {len(seeds)} seeds, each {shown.width}x{shown.height} pixels"
    )


def _call(pipe: DiffusionPipeline, given: dict) -> dict:
    """Arguments for the pipeline; what was left empty is the pipeline's own affair."""
    call: dict[str, Any] = {}
    if given["size"]:
        match = _SIZE.fullmatch(given["size"])
        if not match:
            raise ValueError(f"size is {given['size']!r}; it is WIDTHxHEIGHT in pixels, such as 512x768")
        call |= {"width": int(match[1]), "height": int(match[2])}
    if given["steps"]:
        call["num_inference_steps"] = given["steps"]
    if given["guidance"] >= 0:
        call["guidance_scale"] = given["guidance"]
    if given["negative"]:
        call["negative_prompt"] = given["negative"]
    if given["max_length"]:
        call["max_sequence_length"] = given["max_length"]
    if given["model"] == "shapeworld":
        from shapeworld.models import SAMPLING

        call.setdefault("num_inference_steps", SAMPLING["unet"].steps)
        call.setdefault("guidance_scale", SAMPLING["unet"].guidance)
    return call


def _load(model: str, device: str, dtype: str) -> DiffusionPipeline:
    import diffusers
    import torch
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    device = device or ("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    dtype = dtype or ("float32" if device == "cpu" else "float16")
    if dtype not in ("float32", "float16", "bfloat16"):
        raise ValueError(f"dtype is {dtype!r}; it can be float32, float16 or bfloat16")
    if model == "shapeworld":
        from shapeworld.models import load_pipeline

        pipe = load_pipeline(dtype=getattr(torch, dtype))
    else:
        pipe = diffusers.DiffusionPipeline.from_pretrained(model, dtype=getattr(torch, dtype))
    pipe.set_progress_bar_config(disable=not sys.stderr.isatty())
    return pipe.to(device)


def _arms(text: str) -> list[str]:
    arms = [arm.strip() for arm in text.split(",") if arm.strip()]
    if not arms:
        raise ValueError(f"arms is {text!r}; name at least one, such as full,padding")
    return arms


def _integers(name: str, text: str) -> list[int]:
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if not match:
            raise ValueError(f"{name} is {text!r}; it is a list such as 0,1,2 or a range such as 0-5")
        numbers.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return numbers


def _span(text: str) -> tuple[float, float]:
    match = re.fullmatch(r"([\d.]+)\s*,\s*([\d.]+)", text)
    if not match:
        raise ValueError(f"span is {text!r}; it is START,STOP as fractions of the run, such as 0,0.5")
    return float(match[1]), float(match[2])


def main() -> None:
    """Entry point: errors of ours are one line without a traceback."""
    warnings.showwarning = lambda message, *rest: typer.echo(f"warning: {message}", err=True)
    try:
        app()
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
