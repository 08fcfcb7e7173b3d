"""Options that padtone's commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from picturelab.cli.arguments import whole

Negative = Annotated[str | None, typer.Option(help="Negative prompt, the same for every arm.")]
Length = Annotated[
    int | None,
    typer.Option(parser=whole, metavar="<int>", help="max_sequence_length; the model's own if left out."),
]
Clean = Annotated[str, typer.Option(help="What a swapped row becomes: padding or empty_prompt.")]
Pooled = Annotated[str, typer.Option(help="The pooled vector's source: full or clean.")]
