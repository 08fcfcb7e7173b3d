"""The command `padtone idp`."""

from __future__ import annotations

from typing import Annotated

import typer

from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.worlds import DEFAULT_MODEL

from .grid import GridOptions, make_grid
from .options import (
    ARMS,
    OUTPUTS,
    Arms,
    Clean,
    Length,
    Model,
    Negative,
    Out,
    Pooled,
    Prompt,
    Seeds,
    Size,
)


def idp(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    arms: Arms = ARMS,
    layers: Annotated[
        str | None, typer.Option(help="Blocks to patch, such as 0,1,2 or 0-18; all if left out.")
    ] = None,
    span: Annotated[str, typer.Option(help="Part of the run to patch, START,STOP as fractions.")] = "0,1",
    seeds: Seeds = "0",
    out: Out = OUTPUTS,
    size: Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    max_length: Length = None,
    clean: Clean = "padding",
    pooled: Pooled = "full",
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Swap text rows inside the denoiser, block by block: does it use padding as scratch space?"""
    make_grid(
        GridOptions(
            command="idp",
            prompt=prompt,
            model=model,
            arms=arms,
            layers=layers,
            span=span,
            seeds=seeds,
            out=out,
            size=size,
            steps=steps,
            guidance=guidance,
            negative=negative,
            max_length=max_length,
            clean=clean,
            pooled=pooled,
            device=device,
            dtype=dtype,
        )
    )
