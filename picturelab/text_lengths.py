"""How long the texts are that encoders read: as a pipeline pads them, or without padding at the right."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from .model_names import locate

if TYPE_CHECKING:
    from .pipeline import Pipeline

# What imports torch is imported where it is used, so that a command refuses a file at once.

Encoding = Literal["true length"] | None
"""The way in which a picture's text was encoded, as recipes have it; None: as the pipeline pads it."""

TRUE_LENGTH: Literal["true length"] = "true length"

PIPELINES = frozenset(
    {
        "AuraFlowPipeline",  # the padding's rows are set to zero
        "HunyuanImagePipeline",
        "Lumina2Pipeline",
        "OvisImagePipeline",  # zero too
        "PRXPipeline",
        "PixArtAlphaPipeline",
        "PixArtSigmaPipeline",
        "SanaPipeline",
        "ZImagePipeline",
    }
)
"""Those in which a prompt's rows do not depend on its padding, and the padding's rows reach no picture: the encoder
is causal or masked, and the rows are dropped, masked or zero. Of no other kind is padding left out."""


class EncodingEntry(BaseModel):
    """What a recipe says of the way in which its text was encoded.

    Attributes:
        encoding: left out where it is padded, so that such recipes are what they were before there was a choice.
    """

    encoding: Encoding = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = write(self)
        return {name: value for name, value in values.items() if name != "encoding" or value is not None}


def way_of(pipe: Pipeline, pad_text: bool) -> Encoding:
    """How a pipeline's texts are encoded.

    Args:
        pad_text: as the pipeline pads them, whatever its kind.
    """
    return TRUE_LENGTH if not pad_text and type(pipe).__name__ in PIPELINES else None


def may_leave_out(model: str) -> bool:
    """Whether a model's pipeline can be one of `PIPELINES`, as far as can be told without loading it."""
    kinds: list[str] = []
    try:
        if locate(model, lambda index, _: kinds.append(str(index.get("_class_name"))), files=True) == "hub":
            from diffusers import DiffusionPipeline

            kinds.append(str(DiffusionPipeline.load_config(model, local_files_only=True)["_class_name"]))
    except (ValueError, KeyError, OSError):
        return True
    return any(kind in PIPELINES for kind in kinds)


@contextlib.contextmanager
def encoded_as(pipe: Pipeline, way: Encoding) -> Iterator[None]:
    """Inside the block, a pipeline's text encoders read texts in a way of `way_of`."""
    if way is None:
        yield
        return
    from .hooks.text_encoders import at_true_length

    with at_true_length(pipe):
        yield
