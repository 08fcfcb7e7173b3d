"""From what was typed for `padtone ite`, `idp` or `replace` to a grid of pictures with its recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from picturelab.bounds import check
from picturelab.cli.arguments import pixels
from picturelab.cli.run import say
from picturelab.files import output_file, slug

from .loading import check_model, load
from .options import arm_names, integers

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

    from ..runs.request import Request


@dataclass(frozen=True)
class GridOptions:
    """What was typed, word by word; None: left out."""

    command: Literal["ite", "idp", "replace"]
    prompt: str
    model: str
    arms: str
    seeds: str
    out: Path
    size: str | None
    steps: int | None
    guidance: float | None
    negative: str | None
    max_length: int | None
    device: str | None
    dtype: str | None
    clean: str = "padding"
    pooled: str = "full"
    layers: str | None = None
    span: str = "0,1"


def make_grid(options: GridOptions) -> None:
    """Check what was typed before anything is loaded, then load, draw and write.

    Raises:
        ValueError: something that was typed is wrong, or the model cannot do it.
    """
    size = None if options.size is None else pixels(options.size)
    replaces = options.command == "replace"
    seeds = integers("seeds", options.seeds, "seed")
    arms = arm_names(options.arms, "padding", "full,clean") if replaces else arm_names(options.arms)
    check("pictures", len(seeds) * len(arms))
    layers = None if options.layers is None else integers("layers", options.layers, "layer")
    span = _span(options.span)
    path = output_file(options.out, f"{options.command}-{slug(options.prompt)}")
    check_model(options.model, options.prompt, options.negative, dtype=options.dtype)
    import torch

    from picturelab.models import choose_device, choose_dtype, origin
    from picturelab.recipes import versions

    from ..interventions.arguments import check_arms, check_choices
    from ..interventions.replacing import check_replacements
    from ..runs.request import Request, call_arguments

    if replaces:
        check_replacements(arms)
    else:
        check_arms(arms)
        check_choices(options.clean, options.pooled)
    device = choose_device(options.device)
    dtype = str(choose_dtype(options.dtype, device)).removeprefix("torch.")
    pipe = load(options.model, str(device), dtype)
    call = call_arguments(
        pipe,
        options.model,
        size=size,
        steps=options.steps,
        guidance=options.guidance,
        negative=options.negative,
        max_length=options.max_length,
    )
    request = Request(
        command=options.command,
        prompt=options.prompt,
        model=options.model,
        revision=origin(pipe).revision,
        arms=[*arms],
        seeds=seeds,
        clean=options.clean,
        pooled=options.pooled,
        layers=layers,
        span=span,
        call=call,
        device=str(device),
        dtype=dtype,
        threads=torch.get_num_threads(),
        versions=versions(),
    )
    write_grid(pipe, request, path)


def write_grid(pipe: Pipeline, request: Request, path: Path) -> None:
    """Draw what is requested, write it with its recipe, and say where it is and what it shows.

    Raises:
        ValueError: the pipeline cannot do it, see `padtone.runs.request.make_arms`.
    """
    from ..recipe import save_with_recipe
    from ..reports.distance import distance_sentence
    from ..runs.request import lay_out, make_arms

    images = make_arms(pipe, request)
    save_with_recipe(lay_out(request, images), path, request.model_dump())
    arms = [*(["donor"] if request.command == "idp" else []), *map(str, request.arms)]
    say(f"arms {', '.join(arms)}; seeds {', '.join(map(str, request.seeds))}: {path}")
    whole = "donor" if request.command == "idp" else "full"
    empty = None if request.command == "replace" else "clean"  # there it is padding beside the whole prompt
    if sentence := distance_sentence(images, whole, empty):
        say(sentence)


def _span(text: str) -> tuple[float, float]:
    try:
        start, stop = map(float, text.split(","))
    except ValueError:
        start, stop = 1.0, 0.0
    if not 0 <= start < stop <= 1:
        raise ValueError(f"span is {text!r}; it is START,STOP as fractions of the run, such as 0,0.5")
    return start, stop
