"""Options of several commands: which settings, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picturelab.cli.arguments import number

from ..sampling.strength import USUAL_CASCADE

if TYPE_CHECKING:
    from ..config import FouriScaleConfig

OUTPUTS = Path("outputs")  # where pictures go if nothing else is said

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


def read_preset(preset: str | None) -> FouriScaleConfig | None:
    """The config that `--preset` names, a preset or a YAML file; None where it is left out."""
    if preset is None:
        return None
    from ..config import FouriScaleConfig

    return FouriScaleConfig.named(preset)


def in_mode(config: FouriScaleConfig, mode: str | None, wrap: str | None = None) -> FouriScaleConfig:
    """The config in the mode that `--mode` names, and wrapping as `--wrap` says."""
    chosen = {"mode": mode, "wrap": wrap}
    return config.replace(**{name: value for name, value in chosen.items() if value is not None})
