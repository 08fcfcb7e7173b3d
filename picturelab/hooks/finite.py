"""Pictures that came out of the decoder as numbers that are none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from ..pipeline import Pipeline


@contextlib.contextmanager
def not_finite(pipe: Pipeline) -> Iterator[set[int]]:
    """Positions of a batch for which the decoder gave a number that is NaN or infinite, filled while painting."""
    places: set[int] = set()

    def look(module: Any, args: Any, output: Any) -> None:
        for i, picture in enumerate(output):  # (channels, height, width)
            if not bool(torch.isfinite(picture).all()):
                places.add(i)

    handle = pipe.vae.decoder.register_forward_hook(look)
    try:
        yield places
    finally:
        handle.remove()
