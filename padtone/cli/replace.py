"""The command `padtone replace`."""

from __future__ import annotations

from typing import Annotated

import typer

from picturelab.cli.options import Device, Dtype, Guidance, Steps
from picturelab.worlds import DEFAULT_MODEL

from .grid import GridOptions, make_grid
from .options import OUTPUTS, Length, Model, Negative, Out, Prompt, Seeds, Size

_USUAL = "full,clean,empty_prompt,repeat"  # not commas: some tokenizers know none


def replace(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    padding: Annotated[
        str,
        typer.Option(
            help="What to draw with, separated by commas: full (padding as it is), clean (padding of an empty text), "
            'empty_prompt (of ""), repeat (the prompt again and again), commas.'
        ),
    ] = _USUAL,
    seeds: Seeds = "0",
    out: Out = OUTPUTS,
    size: Size = None,
    steps: Steps = None,
    guidance: Guidance = None,
    negative: Negative = None,
    max_length: Length = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Put something else in the padding's place and draw each: does the picture get better or worse?"""
    make_grid(
        GridOptions(
            command="replace",
            prompt=prompt,
            model=model,
            arms=padding,
            seeds=seeds,
            out=out,
            size=size,
            steps=steps,
            guidance=guidance,
            negative=negative,
            max_length=max_length,
            device=device,
            dtype=dtype,
        )
    )
