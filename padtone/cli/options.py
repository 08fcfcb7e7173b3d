"""Options that padtone's commands share, and the checks of what is typed for them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated

import typer

from picturelab.bounds import BOUNDS, shown
from picturelab.cli.arguments import Bounded, Prompted

OUTPUTS = Path("outputs")
ARMS = "full,prompt,padding,clean"

Prompt = Annotated[str, typer.Argument(parser=Prompted("prompt"), metavar="PROMPT", help="The prompt.")]
Model = Annotated[str, typer.Option(help="shapeworld/unet, a diffusers folder or a hub id.")]
Seeds = Annotated[str, typer.Option(help="Seeds, such as 0,1,2 or 0-5.")]
Out = Annotated[Path, typer.Option(help="A file ending in .png, or a folder.")]
Size = Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels; the model's own if left out.")]
Arms = Annotated[
    str, typer.Option(help='Arms, separated by commas: full, prompt, padding, "padding 1/5", eos, clean.')
]
Negative = Annotated[
    str | None,
    typer.Option(
        parser=Prompted("negative", empty=True),
        metavar="<str>",
        help="Negative prompt, the same for every arm.",
    ),
]
Length = Annotated[
    int | None,
    typer.Option(
        parser=Bounded("max-length", "tokens"),
        metavar="<int>",
        help="max_sequence_length; the model's own if left out.",
    ),
]
Clean = Annotated[str, typer.Option(help="What a swapped row becomes: padding or empty_prompt.")]
Pooled = Annotated[str, typer.Option(help="The pooled vector's source: full or clean.")]


def arm_names(text: str, name: str = "arms", such_as: str = "full,padding") -> list[str]:
    """Names between commas.

    Args:
        name: of the option.
        such_as: an example.

    Raises:
        ValueError: there is none.
    """
    arms = [arm.strip() for arm in text.split(",") if arm.strip()]
    if not arms:
        raise ValueError(f"{name} is {text!r}; name at least one, such as {such_as}")
    return arms


def integers(name: str, text: str, one: str) -> list[int]:
    """A list of numbers and ranges.

    Args:
        name: of the option, and of the bound of how many there may be.
        one: of the bound of each.

    Raises:
        ValueError: it is none, or a number or their count lies outside its bound.
    """
    typed = shown(text)
    ranges: list[range] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})\s*(?:-\s*(\d{1,19})\s*)?", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise ValueError(f"{name} is {typed}; it is a list such as 0,1,2 or a range such as 0-5")
        ranges.append(range(int(match[1]), int(match[2] or match[1]) + 1))
        if not BOUNDS[one].holds(ranges[-1][-1]):
            raise ValueError(f"{name} is {typed}; each is {BOUNDS[one].words}")
    count = sum(numbers.stop - numbers.start for numbers in ranges)  # len() ends at the size of a C integer
    if not BOUNDS[name].holds(count):
        raise ValueError(
            f"{name} is {typed}, {count:,} numbers; there may be {int(BOUNDS[name].most):,} at most"
        )
    return list(itertools.chain.from_iterable(ranges))
