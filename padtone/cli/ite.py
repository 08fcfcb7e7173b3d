"""The command `padtone ite`."""

from __future__ import annotations

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


def ite(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    arms: Arms = ARMS,
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
    """Swap rows of the text encoding and draw each arm: does the encoder write into padding?"""
    make_grid(
        GridOptions(
            command="ite",
            prompt=prompt,
            model=model,
            arms=arms,
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
