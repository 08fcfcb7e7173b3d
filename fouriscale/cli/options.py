"""Options of several commands: which settings, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.bounds import check
from picturelab.cli.arguments import number
from picturelab.notation import parse_size

from ..maths.sizes import SIZE_MULTIPLE, Size, check_size
from ..sampling.strength import USUAL_CASCADE

if TYPE_CHECKING:
    from ..config_kinds import Config

OUTPUTS = Path("outputs")  # where pictures go if nothing else is said
EXAMPLE = "a large red circle on a blue background"  # the shipped model draws it right with seed 0

Preset = Annotated[
    str | None, typer.Option(help="A preset's name or a YAML file; recognised from the model if left out.")
]
Mode = Annotated[
    str | None,
    typer.Option(
        help="fast (the deep grid), paper (the published method) or layerwise (fast as it was before); the preset's "
        "own if left out. For UNets."
    ),
]
Rule = Annotated[
    str | None,
    typer.Option(
        help="What becomes of a transformer's positions: interpolate, ntk or yarn; the preset's own if left out."
    ),
]
Dynamic = Annotated[
    bool | None,
    typer.Option("--dynamic/--static", help="Whether the rule follows the noise, or holds at every step."),
]
Axes = Annotated[
    str | None, typer.Option(help="one scale for a transformer's height and width, or each its own.")
]
Temperature = Annotated[
    str | None,
    typer.Option(
        metavar="<word or float>",
        help="What cos and sin of the positions are times: none, yarn, proportional or a number.",
    ),
]
Shift = Annotated[
    str | None,
    typer.Option(
        metavar="<word or float>",
        help="The most that a transformer's schedule is shifted (mu): training, pipeline (no cap) or a number.",
    ),
]

Wrap = Annotated[
    str | None,
    typer.Option(
        help="Opposite edges are neighbours: width (panoramas), height, both (tiles) or none; the preset's own if left "
        "out."
    ),
]

CascadeOn = Annotated[
    bool,
    typer.Option(
        "--cascade",
        help="Begin at the training size, enlarge that and finish it; in fast mode unless --mode or --preset says "
        "otherwise.",
    ),
]
CascadeStrength = Annotated[
    float | None,
    typer.Option(
        parser=number, metavar="<float>", help=f"How much of the run finishes it, up to 1; {USUAL_CASCADE:g}."
    ),
]
CascadeUpsampling = Annotated[
    str | None, typer.Option(help="What is enlarged: pixels, or latents; pixels if left out.")
]


def read_preset(preset: str | None) -> Config | None:
    """The config that `--preset` names, a preset or a YAML file; None where it is left out.

    Raises:
        ValueError: there is no such preset, or a setting of the file is wrong.
        TypeError: a setting of the file has the wrong type.
    """
    if preset is None:
        return None
    from ..config_kinds import named_config

    return named_config(preset)


def chosen_config(preset: str | None, model: str, changes: Mapping[str, Any]) -> Config | None:
    """The settings that options name, before anything heavy is imported; None: they begin with the model's own preset.

    Args:
        preset: what `--preset` names.
        model: what `loading.configs.part_config` takes.
        changes: settings that differ from the preset's, checked in either case.

    Raises:
        ValueError: there is no such preset or model, they are not for the same kind of denoiser, or a setting is wrong.
        TypeError: a setting has the wrong type.
    """
    from ..config_kinds import check_changes, check_kind
    from ..loading.names import part_here

    config, denoiser = read_preset(preset), part_here(model)
    if config is None:
        check_changes(changes, denoiser)
        return None
    if denoiser is not None:
        check_kind(config, denoiser, model)
    return config.replace(**changes)


def chosen_settings(
    *,
    mode: str | None,
    rule: str | None,
    dynamic: bool | None,
    axes: str | None,
    temperature: str | None,
    shift: str | None,
    wrap: str | None,
) -> dict[str, Any]:
    """The settings that options name, those that are left out aside; which fit, the kind of denoiser decides."""
    words = dict(mode=mode, rule=rule, dynamic=dynamic, axes=axes, wrap=wrap)
    numbers = {"temperature": _word_or_number(temperature), "shift": _word_or_number(shift)}
    return {name: value for name, value in (words | numbers).items() if value is not None}


def _word_or_number(text: str | None) -> str | float | None:
    try:
        return text if text is None else float(text)
    except ValueError:
        return text


def sampled_size(text: str) -> Size:
    """(height, width) in pixels of a size as people type it, WIDTHxHEIGHT.

    Raises:
        ValueError: it is no size, or none that a model could sample.
    """
    return check_sampled(*parse_size(text))


def check_sampled(height: int, width: int) -> Size:
    """(height, width) in pixels, if a model could sample them.

    Raises:
        ValueError: it could not.
    """
    check_size(height, width, SIZE_MULTIPLE)
    return check("height", height), check("width", width)
