"""The command `padtone advise`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.cli.arguments import Bounded, pixels
from picturelab.cli.options import Device, Dtype
from picturelab.cli.run import say
from picturelab.failures import printable_json
from picturelab.worlds import DEFAULT_MODEL

from .loading import check_model, load
from .options import Length, Model, Prompt, Size

if TYPE_CHECKING:
    from ..interventions.lengths import TimedLength
    from ..reports.advice import Advice


def advise(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    report: Annotated[
        Path | None, typer.Option(help="An audit of this model: its report.json, or its folder.")
    ] = None,
    size: Size = None,
    seconds: Annotated[
        float, typer.Option(parser=Bounded("seconds"), metavar="<float>", help="How long to measure, about.")
    ] = 20.0,
    max_length: Length = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Keep, mask, trim or replace a prompt's padding? What an audit says, and the time that it saves here."""
    height_and_width = None if size is None else pixels(size)
    check_model(model, prompt, dtype=dtype)
    from ..reports.advice import AuditReport
    from ..reports.advice import about as basis
    from ..reports.advice import advise as advise_by

    audit = None if report is None else AuditReport.read(report)
    from picturelab.models import origin

    from ..families.registry import family_of
    from ..interventions.encoding import call_options
    from ..interventions.ite import token_roles
    from ..interventions.lengths import candidates, time_lengths
    from ..runs.request import call_arguments

    pipe = load(model, device, dtype)
    pipe.set_progress_bar_config(disable=True)
    family = family_of(pipe)
    if audit is not None:
        audit.check_model(model, origin(pipe).revision)
    if not family.pads:
        raise ValueError(
            f"{family.title} hands the denoiser no padding, so there is nothing to advise: {family.note}"
        )
    call = call_arguments(pipe, model, size=height_and_width, max_length=max_length)
    entries = token_roles(pipe, prompt, **call_options(pipe, call))
    padding = max((entry.count("padding") for entry in entries if entry.rows is not None), default=0)
    advice = advise_by(audit, padding, family.denoiser_masks)
    lengths = candidates(entries, advice.tokens_kept or 0, family.denoiser_masks)
    time_lengths(pipe, prompt, lengths, seconds, call)
    if as_json:
        typer.echo(printable_json(json.dumps(_plain(advice, lengths, _steps(call)), ensure_ascii=False)))
        return
    say(f"{model}: {lengths[0].rows} rows of text, {padding} padding tokens at most of one encoder")
    for line in (*_table(lengths), *_words(advice, lengths, prompt, call)):
        say(line)
    if audit is not None:
        say(f"By {basis(audit, call)}.")


def _table(lengths: list[TimedLength]) -> list[str]:
    """A line a length, with the middle half of its calls' speed beside the median."""
    lines = []
    for length in lengths:
        kept = "all" if length.tokens_kept is None else f"keep={length.tokens_kept}"
        speed = length.speedup(lengths[0])
        what = f"{length.treatment:<5} {kept:<9} {length.rows:>5} rows  {1000 * length.median:9.2f} ms a call"
        lines.append(f"  {what}  {speed.median:.2f}x as fast ({speed.low:.2f} to {speed.high:.2f})")
    return lines


def _words(advice: Advice, lengths: list[TimedLength], prompt: str, call: Mapping[str, Any]) -> list[str]:
    from ..interventions.lengths import fastest
    from ..reports.number import trimmed_call

    best, whole, steps = fastest(lengths), lengths[0], _steps(call)
    words = [f"{advice.action}: {advice.reason}"]
    if best is not None:
        saved = steps * (whole.calls * whole.median - best.calls * best.median)
        # Where the lower quartile is no gain, the median may be noise.
        gain = best.speedup(whole).low > 1
        worth = f"{saved:.2f} seconds of {steps} steps" if gain else "no time that could be told from noise"
        if advice.action == "trim":
            words.append(f"At {best.rows} rows, the fastest of these, it saves {worth}:")
            code = trimmed_call(best.tokens_kept or 0, prompt, call)
            words += [f"    {line}" for line in code.splitlines()]
            words.append("Masking gives the same picture, and leaves the text as long as it is.")
        else:
            words.append(f"Trimming to {best.rows} rows, the fastest of these, would save {worth}.")
    return [*words, *([advice.replacing] if advice.replacing else [])]


def _steps(call: Mapping[str, Any]) -> int:
    return int(call.get("num_inference_steps", 1))


def _plain(advice: Advice, lengths: list[TimedLength], steps: int) -> dict[str, Any]:
    return {
        "action": advice.action,
        "keep": advice.tokens_kept,
        "reason": advice.reason,
        "replacing": advice.replacing,
        "steps": steps,
        "lengths": [
            {
                "treatment": length.treatment,
                "keep": length.tokens_kept,
                "rows": length.rows,
                "seconds": length.median,
                "speedup": length.speedup(lengths[0])._asdict(),
                "calls_a_step": length.calls,
                "calls": len(length.seconds),
            }
            for length in lengths
        ],
    }
