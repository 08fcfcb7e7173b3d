"""The commands `fouriscale explain` and `presets`: what would be done, before anything is loaded."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from picturelab.cli.arguments import Bounded, pixels
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from .options import (
    Axes,
    CascadeOn,
    CascadeStrength,
    CascadeUpsampling,
    Dynamic,
    Mode,
    Preset,
    Rule,
    Shift,
    Temperature,
    Wrap,
    chosen_settings,
    read_preset,
)


def explain(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")],
    model: Annotated[
        str, typer.Option(help="A preset, a folder with configs, or what `generate --model` takes.")
    ] = DEFAULT_MODEL,
    preset: Preset = None,
    mode: Mode = None,
    rule: Rule = None,
    dynamic: Dynamic = None,
    axes: Axes = None,
    temperature: Temperature = None,
    shift: Shift = None,
    wrap: Wrap = None,
    steps: Annotated[int, typer.Option(parser=Bounded("steps"), metavar="<int>", help="Of the run.")] = 50,
    cascade: CascadeOn = False,
    cascade_strength: CascadeStrength = None,
    cascade_upsampling: CascadeUpsampling = None,
) -> None:
    """Print what would be done for a size and what it would cost; no weight is loaded."""
    height, width = pixels(size)
    config = read_preset(preset)
    changes = chosen_settings(
        mode=mode, rule=rule, dynamic=dynamic, axes=axes, temperature=temperature, shift=shift, wrap=wrap
    )
    quieten()
    from ..config_kinds import check_kind
    from ..loading.configs import denoiser_config, denoiser_part
    from ..reports.explain_model import explain_model, explanation_sentences
    from ..sampling.cascade import Cascade, config_for_run

    parts = Cascade.chosen(cascade, cascade_strength, cascade_upsampling)
    config = config or config_for_run(denoiser_config(model, preset), parts)
    check_kind(config, denoiser_part(model, preset), model)
    config = config.replace(**changes)
    explanation = explain_model(
        model, height, width, steps=steps, config=config, cascade=parts, preset=preset
    )
    typer.echo("\n".join(explanation_sentences(explanation)))


def presets() -> None:
    """List the presets and the results they were checked with."""
    from ..presets import preset_names, preset_notes

    table = Table("preset", "what it is", "checked with", show_lines=True)
    for name in preset_names():
        notes = preset_notes(name)
        table.add_row(name, notes["description"], notes["checked_with"])
    Console().print(table)
