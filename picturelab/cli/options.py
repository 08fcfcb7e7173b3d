"""Options that several commands take, as types for typer."""

from __future__ import annotations

from typing import Annotated

import typer

from .arguments import Bounded, dtype

Steps = Annotated[
    int | None,
    typer.Option(
        parser=Bounded("steps"), metavar="<int>", help="Inference steps; the model's own if left out."
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        parser=Bounded("guidance"), metavar="<float>", help="Guidance scale; the model's own if left out."
    ),
]
Device = Annotated[str | None, typer.Option(help="Such as cpu or cuda:0; the best one here if left out.")]
Dtype = Annotated[
    str | None,
    typer.Option(
        parser=dtype,
        metavar="<float32|float16|bfloat16>",
        help="Of the weights; float32 on a CPU, else float16, if left out.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option(metavar="<png|webp|jpeg>", help="What the file is; PNG, or as --out ends, if left out."),
]
Quality = Annotated[
    int | None,
    typer.Option(
        parser=Bounded("quality"), metavar="<int>", help="Of a WebP or JPEG, 1 to 100; 90 if left out."
    ),
]
NoA1111 = Annotated[
    bool,
    typer.Option("--no-a1111", help="Leave out the text that A1111 and its like read, beside the recipe."),
]
