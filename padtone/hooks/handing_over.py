"""Encodings for pipelines whose call takes none: handed over where the pipeline encodes its prompt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from picturelab.pipeline import Pipeline

from ..families.family import Family
from .following import own_attribute


@contextmanager
def handed_over(pipe: Pipeline, family: Family, encoded: Mapping[str, Any]) -> Iterator[None]:
    """Inside the block, the first `encode_prompt` returns these encodings; a later one is the negative prompt's.

    Args:
        encoded: by the names that the family gives to what `encode_prompt` returns; the rest stays the pipeline's.
    """
    original, waiting = pipe.encode_prompt, [encoded]

    @functools.wraps(original)
    def encode_prompt(*args: Any, **kwargs: Any) -> Any:
        values = original(*args, **kwargs)
        if not waiting:
            return values
        ours = waiting.pop()
        names = family.returns[0]
        return tuple(ours.get(name or "", value) for name, value in zip(names, values, strict=True))

    with own_attribute(pipe, "encode_prompt", encode_prompt):
        yield
