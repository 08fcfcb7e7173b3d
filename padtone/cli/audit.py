"""The command `padtone audit`. Heavy imports wait until it runs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.cli.arguments import whole
from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.cli.run import complain, stage_bars
from picturelab.notation import parse_size
from picturelab.quiet import quieten
from picturelab.worlds import world

from .options import Clean, Length, Negative, Pooled

if TYPE_CHECKING:
    from PIL import Image

    from picturelab.runs.folder import OnProgress

    from ..audit.prompts import Prompts
    from ..audit.studies import Study

SHAPEWORLD = "shapeworld/"
_SMALL = 8  # prompts where none are named


def audit(
    model: Annotated[
        str, typer.Option(help="shapeworld/NAME, shapeworld/all, a diffusers folder or a hub id.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for the report and the pictures.")] = Path("report"),
    prompts: Annotated[
        Path | None, typer.Option(help="One prompt a line, or YAML: kinds and their prompts.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            parser=whole, metavar="<int>", help="How many prompts; all of a file, else 8, if left out."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(parser=whole, metavar="<int>", help="Pictures per prompt and arm, 2 or more."),
    ] = None,
    study: Annotated[
        str, typer.Option(help="A study of the paper: sd2, sdxl, sd3, flux, ldm; or a file.")
    ] = "",
    clip: Annotated[
        str, typer.Option(help="The CLIP that looks: a folder or hub id, or shapeworld/clip.")
    ] = "",
    keep: Annotated[
        str, typer.Option(help="Padding tokens to keep, such as 0,4,16; 0,1,2,4 ... if empty.")
    ] = "",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels; the model's own if empty.")] = "",
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    max_length: Length = None,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    looks: Annotated[int, typer.Option(help="Prompts whose attention is measured.")] = 4,
    batch: Annotated[
        int | None,
        typer.Option(parser=whole, metavar="<int>", help="Most pictures in one call of the pipeline."),
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    workers: Annotated[
        int | None,
        typer.Option(
            parser=whole,
            metavar="<int>",
            help="Models of shapeworld/all audited at once, with one thread each; if left out as many as torch "
            "has threads on a CPU, else 1.",
        ),
    ] = None,
) -> None:
    """Are the padding tokens used, and how many can go? Writes report.html, report.json and the pictures.

    A killed audit goes on with the same command; nothing is made twice.
    """
    apart = ("model", "out", "study", "workers")
    given = {name: value for name, value in locals().items() if name not in apart}
    _check_extras()
    quieten()  # before anything imports the libraries
    from ..audit.studies import load_study

    plan = load_study(study) if study else None
    model = model or (plan.model if plan else "")
    if not model:
        raise ValueError("name a model with --model, such as shapeworld/unet or shapeworld/all, or a --study")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it is 1 or more")
    if model != f"{SHAPEWORLD}all":
        if workers is not None:
            raise ValueError(f"workers is {workers}, and the model {model}; workers are for shapeworld/all")
        with stage_bars() as progress:
            typer.echo(_summary(*_audit(model, out, plan, given, progress)))
        return
    _audit_all(out, plan, given, workers)


def _audit_all(out: Path, study: Study | None, given: dict[str, Any], workers: int | None) -> None:
    """Every shipped model, a process each: so small a model gains little from a second thread."""
    import torch

    from picturelab.models import choose_device
    from picturelab.runs.processes import side_by_side

    from ..reports.page import write_index

    names = world().models()
    usual = torch.get_num_threads() if choose_device(given["device"]).type == "cpu" else 1
    calls = {name: (f"{SHAPEWORLD}{name}", out / name, study, given) for name in names}
    reports: dict[str, dict[str, Any]] = {}
    try:
        with stage_bars() as progress:

            def told(name: str, stage: str, done: int, total: int) -> None:
                progress(f"{name} {stage}", done, total)

            for name, (results, page) in side_by_side(_audit, calls, workers or usual, told):
                reports[name] = results
                typer.echo(_summary(results, page))
    except ChildProcessError as error:
        complain(f"{error}; the same command goes on where it was")
        raise typer.Exit(1) from None
    typer.echo(f"all of them: {write_index({name: reports[name] for name in names}, out)}")


def _check_extras() -> None:
    """The report and KID need packages that the other commands don't.

    Raises:
        ValueError: they are not installed.
    """
    missing = [name for name in ("matplotlib", "torchmetrics") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"padtone audit needs {', '.join(missing)}: pip install 'fouriscale-padtone[audit]' brings it"
        )


def _audit(
    model: str, out: Path, study: Study | None, given: dict[str, Any], progress: OnProgress
) -> tuple[dict[str, Any], Path]:
    """One model's audit from the command line's words: what `carry_out` gives."""
    quieten()  # once more: it may be a process of its own
    from picturelab.models import origin

    from ..audit.carry_out import carry_out, usual_batch, usual_clip
    from ..audit.run import AuditSettings

    ours = model.startswith(SHAPEWORLD)
    seeds = given["seeds"] or (study.seeds if study else 2)
    chosen = _prompts(ours, study, given)
    pipe = _load(model, given["device"], given["dtype"])
    settings = AuditSettings(
        model=model,
        clip=given["clip"] or usual_clip(model),
        prompts=chosen.texts,
        kinds=chosen.kinds,
        seeds=seeds,
        call=_call(pipe, model, study, given),
        clean=given["clean"],
        pooled=given["pooled"],
        batch=given["batch"] or usual_batch(model),
        keeps=_numbers(given["keep"]),
        looks=given["looks"],
        precision=str(pipe.dtype).removeprefix("torch."),
        revision=origin(pipe).revision,
    )
    return carry_out(pipe, settings, out, judge=chosen.judge, study=study, progress=progress)


def _summary(results: dict[str, Any], page: Path) -> str:
    """The verdict in a line or two, and where the report is."""
    settings = results["settings"]
    about = f"{len(settings['prompts'])} prompts, {settings['seeds']} seeds"
    line = f"{results['model']}, {about}: {results['verdict']}. {results['reason']}"
    if results["droppable"]:
        keep = results["keep_k"]["smallest"]
        line += (
            f" {results['droppable']} of {results['padding']} padding tokens can go "
            f"({results['speedup']:.2f}x as fast): padtone.trim_padding(pipe, keep={keep})"
        )
    return f"{line}\n{page}"


def remake_audit(recipe: dict[str, Any]) -> Image.Image:
    """A picture of an audit once more, from the recipe that it carries."""
    quieten()
    from ..audit.run import remake

    device = recipe["machine"]["device"]
    return remake(_load(recipe["model"], device if device == "cpu" else None, recipe["precision"]), recipe)


def _prompts(ours: bool, study: Study | None, given: dict[str, Any]) -> Prompts:
    from ..audit.prompts import read_prompts, scene_prompts, studies_folder

    count = given["count"] if given["count"] is not None else study.count if study else None
    if given["prompts"] is None and study is None and ours:
        return scene_prompts(world(), _SMALL if count is None else count)
    if given["prompts"] is not None:
        chosen = read_prompts(given["prompts"])
        return chosen if count is None else chosen.first(count)
    return read_prompts(studies_folder() / "prompts.yaml").first(_SMALL if count is None else count)


def _call(pipe: Any, model: str, study: Study | None, given: dict[str, Any]) -> dict[str, Any]:
    """Arguments for the pipeline: the model's own, the study's, then what was typed."""
    from ..runs.request import call_arguments

    typed = {name: given[name] for name in ("steps", "guidance", "negative", "max_length")}
    size = parse_size(given["size"]) if given["size"] else None
    call = call_arguments(pipe, model, size=size, **typed)
    if study is None:
        return call
    own = call_arguments(pipe, model)
    return own | study.call | {name: value for name, value in call.items() if own.get(name) != value}


def _load(model: str, device: str | None, dtype: str | None) -> Any:
    from ..families.ldm import is_ldm, load_ldm
    from .commands import _load as load

    pipe = load_ldm(model, device, dtype) if is_ldm(model) else load(model, device, dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"keep is {text!r}; it is a list of numbers of padding tokens, such as 0,1,4,16")
    return tuple(int(part) for part in parts)
