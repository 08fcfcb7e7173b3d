"""Options that padtone's commands share, and the checks of what is typed for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from picturelab.cli.arguments import whole

OUTPUTS = Path("outputs")
ARMS = "full,prompt,padding,clean"

Prompt = Annotated[str, typer.Argument(help="The prompt.")]
Model = Annotated[str, typer.Option(help="shapeworld/unet, a diffusers folder or a hub id.")]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 0,1,2 or 0-5.")]
Out = Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels; the model's own if left out.")]
Arms = Annotated[
    str, typer.Option(help='Arms, separated by commas: full, prompt, padding, "padding 1/5", eos, clean.')
]
Negative = Annotated[str | None, typer.Option(help="Negative prompt, the same for every arm.")]
Length = Annotated[
    int | None,
    typer.Option(parser=whole, metavar="<int>", help="max_sequence_length; the model's own if left out."),
]
Clean = Annotated[str, typer.Option(help="What a swapped row becomes: padding or empty_prompt.")]
Pooled = Annotated[str, typer.Option(help="The pooled vector's source: full or clean.")]


def at_least(name: str, value: float | None, least: float) -> None:
    """Is a number large enough, where one was typed?

    Raises:
        ValueError: it is not.
    """
    if value is not None and not least <= value < float("inf"):
        raise ValueError(f"{name} is {value}; it is a finite number, at least {least}")


def arm_names(text: str) -> list[str]:
    """Names between commas.

    Raises:
        ValueError: there is none.
    """
    arms = [arm.strip() for arm in text.split(",") if arm.strip()]
    if not arms:
        raise ValueError(f"arms is {text!r}; name at least one, such as full,padding")
    return arms


def integers(name: str, text: str) -> list[int]:
    """A list of numbers and ranges.

    Raises:
        ValueError: it is none.
    """
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"{name} is {text!r}; it is a list such as 0,1,2 or a range such as 0-5")
        numbers.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return numbers
