"""The commands `fouriscale explain` and `presets`: what would be done, before anything is loaded."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from picturelab.cli.arguments import Bounded, pixels
from picturelab.quiet import quieten
from picturelab.worlds import DEFAULT_MODEL

from .options import CascadeOn, CascadeStrength, CascadeUpsampling, Mode, Preset, Wrap, in_mode, read_preset


def explain(
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT.")],
    model: Annotated[
        str, typer.Option(help="A preset, a folder with configs, or what `generate --model` takes.")
    ] = DEFAULT_MODEL,
    preset: Preset = None,
    mode: Mode = None,
    wrap: Wrap = None,
    steps: Annotated[int, typer.Option(parser=Bounded("steps"), metavar="<int>", help="Of the run.")] = 50,
    cascade: CascadeOn = False,
    cascade_strength: CascadeStrength = None,
    cascade_upsampling: CascadeUpsampling = None,
) -> None:
    """Print what would be done for a size and what it would cost; no weight is loaded."""
    height, width = pixels(size)
    config = read_preset(preset)
    quieten()
    from ..loading.configs import unet_config, vae_scale_factor
    from ..reports.explain import explain as explain_run
    from ..reports.explain_words import sentences
    from ..sampling.cascade import Cascade, config_for_run

    unet = unet_config(model, preset)
    parts = Cascade.chosen(cascade, cascade_strength, cascade_upsampling)
    config = in_mode(config or config_for_run(unet, parts), mode, wrap)
    explanation = explain_run(
        unet,
        height,
        width,
        steps=steps,
        config=config,
        vae_scale_factor=vae_scale_factor(model, preset),
        cascade=parts,
    )
    typer.echo("\n".join(sentences(explanation)))


def presets() -> None:
    """List the presets and the results they were checked with."""
    from ..presets import preset_names, preset_notes

    table = Table("preset", "what it is", "checked with", show_lines=True)
    for name in preset_names():
        notes = preset_notes(name)
        table.add_row(name, notes["description"], notes["checked_with"])
    Console().print(table)
