"""The command `padtone audit`. Heavy imports wait until it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.cli.arguments import whole
from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.cli.progress import stage_bars
from picturelab.cli.run import complain
from picturelab.extras import require
from picturelab.failures import printable
from picturelab.quiet import quieten
from picturelab.settings import shortened
from picturelab.worlds import split, world

from .audit_options import AuditOptions
from .loading import check_model, load_for_audit
from .options import Clean, Length, Negative, Pooled

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline
    from picturelab.runs.folder import OnProgress

    from ..audit.prompts import Prompts
    from ..audit.studies import Study

SHAPEWORLD = "shapeworld/"
_SMALL = 8  # prompts where none are named
_QUICK_STEPS = 10  # of each model of shapeworld/all, for a first answer soon; see docs/audit.md
_LEFT_OUT = 8  # prompts that are named where they were left out


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
            parser=whole,
            metavar="<int>",
            help="How many prompts; all of a file, else 8, if left out. A verdict needs 6, a number about 64.",
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

    A killed audit goes on with the same command; nothing is made twice. shapeworld/all takes 10 steps a picture
    if --steps is left out.
    """
    options = AuditOptions(
        prompts=prompts,
        count=count,
        seeds=seeds,
        clip=clip,
        keep=keep,
        size=size,
        steps=steps,
        guidance=guidance,
        negative=negative,
        max_length=max_length,
        clean=clean,
        pooled=pooled,
        looks=looks,
        batch=batch,
        device=device,
        dtype=dtype,
    )
    require("padtone audit", "audit", "matplotlib", "scipy", "torchmetrics")  # for the report and for KID
    if model not in ("", f"{SHAPEWORLD}all"):
        check_model(model, dtype=dtype)
    quieten()  # before anything imports the libraries
    from picturelab.runs.places import check_folder

    from ..audit.studies import load_study

    design = load_study(study) if study else None
    model = model or (design.model if design else "")
    options.check(workers)
    check_folder(out)
    if not model:
        raise ValueError("name a model with --model, such as shapeworld/unet or shapeworld/all, or a --study")
    if model != f"{SHAPEWORLD}all":
        if workers is not None:
            raise ValueError(f"workers is {workers}, and the model {model}; workers are for shapeworld/all")

        def announce(sentence: str) -> None:
            typer.echo(printable(sentence), err=True)

        with stage_bars() as progress:
            finished = _audit(model, out, design, options, progress, announce)
        typer.echo(_summary(*finished))
        return
    _audit_all(out, design, options, workers)


def _audit_all(out: Path, study: Study | None, options: AuditOptions, workers: int | None) -> None:
    """Every shipped model, a process each: so small a model gains little from a second thread."""
    import torch

    from picturelab.models import choose_device
    from picturelab.runs.processes import side_by_side

    from ..reports.index import write_index

    if options.steps is None and study is None:
        options = replace(options, steps=_QUICK_STEPS)
    names = world().models()
    usual = torch.get_num_threads() if choose_device(options.device).type == "cpu" else 1
    calls = {name: (f"{SHAPEWORLD}{name}", out / name, study, options) for name in names}
    reports: dict[str, dict[str, Any]] = {}
    try:
        with stage_bars() as progress:

            def on_progress(name: str, stage: str, done: int, total: int) -> None:
                progress(f"{name} {stage}", done, total)

            for name, (results, page) in side_by_side(_audit, calls, workers or usual, on_progress):
                reports[name] = results
                typer.echo(_summary(results, page))
    except ChildProcessError as error:
        complain(f"{error}; the same command goes on where it was")
        raise typer.Exit(1) from None
    typer.echo(f"all of them: {write_index({name: reports[name] for name in names}, out)}")


def _audit(
    model: str,
    out: Path,
    study: Study | None,
    options: AuditOptions,
    progress: OnProgress,
    announce: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """One model's audit from the command line's words: what `carry_out` gives."""
    quieten()  # once more: it may be a process of its own
    from picturelab.models import choose_device, locate, origin

    from ..audit.clip import Clip
    from ..audit.settings import AuditSettings
    from ..runs.audit import carry_out, usual_batch, usual_clip

    seeds = options.seeds if options.seeds is not None else study.seeds if study else 2
    chosen = _prompts(model, study, options)
    device = choose_device(options.device)
    locate(model)
    clip = Clip.load(options.clip or usual_clip(model), device)  # far smaller than the model
    pipe = load_for_audit(model, options.device, options.dtype)
    settings = AuditSettings(
        model=model,
        clip=clip.name,
        prompts=chosen.texts,
        kinds=chosen.kinds,
        seeds=seeds,
        call=_call(pipe, model, study, options),
        clean=options.clean,
        pooled=options.pooled,
        batch=usual_batch(model) if options.batch is None else options.batch,
        keeps=options.keep_counts,
        looks=options.looks,
        precision=str(pipe.dtype).removeprefix("torch."),
        revision=origin(pipe).revision,
    )
    return carry_out(
        pipe,
        settings,
        out,
        clip=clip,
        judge=chosen.judge,
        study=study,
        progress=progress,
        announce=announce,
    )


def _summary(results: dict[str, Any], page: Path) -> str:
    """The verdict, what stands beside it, what it leaves open, and where the report is."""
    from ..reports.deciding import deciding_sentence
    from ..reports.full_audit import full_audit
    from ..reports.number import judged_sentence, keep_of, keep_sentence, number_sentence

    settings = results["settings"]
    about = f"{len(settings['prompts'])} prompts, {settings['seeds']} seeds"
    line = f"{results['model']}, {about}: {results['verdict']}. {results['reason']}"
    line = " ".join(
        filter(None, (line, deciding_sentence(results), number_sentence(results), judged_sentence(results)))
    )
    if results["droppable"]:
        why = f" {sentence}" if (sentence := keep_sentence(results)) else ""
        line += f" padtone.trim_padding(pipe, keep={keep_of(results)}).{why}"
    beside = [results["end_token"]["sentence"]] if results["end_token"] else []
    more = [sentence] if (sentence := results["more_prompts"]["sentence"]) else []
    full = full_audit(results, page.parent)
    more += [full.sentence] if full else []
    return "\n".join([line, *beside, *more, *_left_out_lines(results["left_out"], page), f"{page}"])


def _left_out_lines(left_out: Sequence[Mapping[str, Any]], page: Path) -> list[str]:
    """Which prompts were left out of which arms, and why."""
    lines = [
        f"left out of {', '.join(entry['arms']) or 'all arms'}: {shortened(entry['text'], 80)!r} ({entry['why']})"
        for entry in left_out[:_LEFT_OUT]
    ]
    more = len(left_out) - len(lines)
    return [*lines, f"and {more} more, see {page}"] if more > 0 else lines


def _prompts(model: str, study: Study | None, options: AuditOptions) -> Prompts:
    from ..audit.prompts import read_prompts, scene_prompts, studies_folder

    count = options.count if options.count is not None else study.count if study else None
    shipped = split(model)
    if options.prompts is None and study is None and shipped is not None:
        return scene_prompts(shipped[0], _SMALL if count is None else count)
    if options.prompts is not None:
        chosen = read_prompts(options.prompts)
        return chosen if count is None else chosen.first(count)
    return read_prompts(studies_folder() / "prompts.yaml").first(_SMALL if count is None else count)


def _call(pipe: Pipeline, model: str, study: Study | None, options: AuditOptions) -> dict[str, Any]:
    """Arguments for the pipeline: the model's own, the study's, then what was typed."""
    from ..runs.request import call_arguments

    call = call_arguments(
        pipe,
        model,
        size=options.height_and_width,
        steps=options.steps,
        guidance=options.guidance,
        negative=options.negative,
        max_length=options.max_length,
    )
    if study is None:
        return call
    own = call_arguments(pipe, model)
    return own | study.call | {name: value for name, value in call.items() if own.get(name) != value}
