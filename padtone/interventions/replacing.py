"""One prompt drawn with its padding as it is and with other rows in its place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from PIL import Image

from picturelab.pipeline import Pipeline

from ..hooks.handing_over import pictures_of
from .arguments import check_call, check_prompt
from .filling import FILLINGS
from .ite import generators
from .masking import replace_padding

REPLACEMENTS = ("full", "clean", "empty_prompt", *FILLINGS)
"""full: padding as it is; the others are sources and fillings of `replace_padding`."""


def check_replacements(names: Sequence[str]) -> None:
    """Each is a column, so there is at least one and each is there once.

    Raises:
        ValueError: they are not, or one is unknown.
    """
    if not names or len(set(names)) < len(names) or not set(names) <= set(REPLACEMENTS):
        raise ValueError(
            f"padding is {list(names)!r}; it is one or several of {', '.join(REPLACEMENTS)}, each once"
        )


def replacements(
    pipe: Pipeline, prompt: str, seeds: Sequence[int], names: Sequence[str] = REPLACEMENTS, **pipe_kwargs: Any
) -> dict[str, list[Image.Image]]:
    """The prompt's pictures with each of these in place of its padding, from the same noise.

    Args:
        names: of `REPLACEMENTS`.
        pipe_kwargs: further arguments of the pipeline's call.

    Returns:
        {name: one picture per seed}.

    Raises:
        ValueError, TypeError: see `padtone.ite` and `padtone.replace_padding`.
    """
    check_prompt(prompt)
    check_replacements(names)
    check_call(pipe, seeds, ["full"], pipe_kwargs)
    pictures: dict[str, list[Image.Image]] = {}
    for name in names:
        filling = name if name in FILLINGS else None
        with (
            nullcontext() if name == "full" else replace_padding(pipe, "clean" if filling else name, filling)
        ):
            pictures[name] = [_drawn(pipe, prompt, seed, pipe_kwargs) for seed in seeds]
    return pictures


def _drawn(pipe: Pipeline, prompt: str, seed: int, pipe_kwargs: dict[str, Any]) -> Image.Image:
    image: Image.Image = pictures_of(pipe(prompt=prompt, generator=generators(seed, 1), **pipe_kwargs))[0]
    return image
