"""Options of several commands: which settings, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picturelab.bounds import check
from picturelab.cli.arguments import number
from picturelab.notation import parse_size

from ..maths.sizes import SIZE_MULTIPLE, Size, check_size
from ..sampling.strength import USUAL_CASCADE

if TYPE_CHECKING:
    from ..config import FouriScaleConfig

OUTPUTS = Path("outputs")  # where pictures go if nothing else is said
EXAMPLE = "a large red circle on a blue background"  # the shipped model draws it right with seed 0

Preset = Annotated[
    str | None, typer.Option(help="A preset's name or a YAML file; recognised from the model if left out.")
]
Mode = Annotated[
    str | None,
    typer.Option(
        help="fast (the deep grid), paper (the published method) or layerwise (fast as it was before); the preset's "
        "own if left out."
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


def read_preset(preset: str | None, mode: str | None = None) -> FouriScaleConfig | None:
    """The config that `--preset` names, a preset or a YAML file, in the mode that `--mode` names; None: left out.

    Raises:
        ValueError: there is no such preset or mode, or a setting of the file is wrong.
        TypeError: a setting of the file has the wrong type.
    """
    from ..config import MODES, FouriScaleConfig

    if mode is not None and mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    return None if preset is None else in_mode(FouriScaleConfig.named(preset), mode)


def in_mode(config: FouriScaleConfig, mode: str | None) -> FouriScaleConfig:
    """The config in the mode that `--mode` names."""
    return config if mode is None else config.replace(mode=mode)


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
