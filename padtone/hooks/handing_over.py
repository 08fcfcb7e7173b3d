"""One call of a pipeline with given encodings; where it takes none, they are handed over as it encodes its prompt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from picturelab.pipeline import Pipeline

from ..families.family import Family
from ..families.registry import denoiser_of, family_of
from .following import own_attribute
from .kernels import refuse_first_keys

_STAND_IN = "a"  # encoded in vain


def drawn(pipe: Pipeline, call: dict[str, Any], noise: Sequence[torch.Generator]) -> Any:
    """The pictures of one call of the pipeline.

    Args:
        call: as `padtone.interventions.ite.pipe_arguments` gives them.

    Raises:
        ValueError: the attention kernel would take a text's mask for a number of keys.
    """
    family = family_of(pipe)
    for name, value in call.items():
        if "mask" in name and isinstance(value, torch.Tensor) and value.ndim == 2:
            refuse_first_keys(family, denoiser_of(pipe, family), value.bool())
    if family.takes_encodings:
        return pictures_of(pipe(**call, generator=noise))
    encoded = {name: call[name] for name in call.keys() & set(family.returns[0])}
    rest = {name: value for name, value in call.items() if name not in encoded}
    count = len(encoded[family.text_names[0]])
    with _handed_over(pipe, family, encoded):
        return pictures_of(pipe(**rest, prompt=[_STAND_IN] * count, generator=noise))


def pictures_of(output: Any) -> Any:
    """A pipeline's pictures; Kandinsky 5's output names them in the singular."""
    return output.images if hasattr(output, "images") else output.image


@contextmanager
def _handed_over(pipe: Pipeline, family: Family, encoded: Mapping[str, Any]) -> Iterator[None]:
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
