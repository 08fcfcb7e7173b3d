"""What a batch asks of an instrument. Instruments are found by entry point, so that nothing here imports one."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Protocol

from .jobs import Job

if TYPE_CHECKING:
    from PIL import Image

    from ..pipeline import Pipeline

GROUP = "picturelab.instruments"

EncodedText = dict[str, Any]
"""A job's text as the pipeline's arguments: one row each, tensors or lists of tensors."""


@dataclass(frozen=True)
class JobPicture:
    """An image, and the recipe that makes it again.

    Attributes:
        parameters: the same in A1111's words, where they suffice.
    """

    image: Image.Image
    recipe: dict[str, Any]
    parameters: str | None = None


class Instrument(Protocol):
    """How an instrument makes the pictures of jobs.

    Attributes:
        chunk: the name that its recipes have in a picture's file.
    """

    chunk: str

    def check(self, job: Job) -> None:
        """Refuse what could not be made, before anything is loaded.

        Raises:
            ValueError: a value is out of range, or a file or model is not there.
        """

    def changed_settings(self, job: Job, recipe: Mapping[str, Any]) -> str | None:
        """What a job means otherwise now than when its picture was made: "mode layerwise instead of fast".

        Modes, presets and usual values can change from one version to the next.

        Args:
            recipe: the picture's, as plain values.
        """

    def text_length(self, job: Job) -> int | None:
        """Tokens of a job's text, where jobs of unequal lengths need a mask together; None: they do not, or nobody
        can tell before the model is loaded."""

    def encoder_stays(self, job: Job) -> str | None:
        """Why a job's picture needs the text encoders even where its encoding is given; None: it does not."""

    def load(self, job: Job, device: str, dtype: str) -> Pipeline:
        """The job's pipeline.

        Raises:
            ValueError: it cannot be loaded.
        """

    def encode(self, pipe: Pipeline, job: Job) -> EncodedText | None:
        """The job's text, encoded alone; None where it has to be encoded while painting.

        Raises:
            ValueError: the pipeline cannot do what is asked.
        """

    def paint(
        self, pipe: Pipeline, jobs: Sequence[Job], encodings: Sequence[EncodedText | None]
    ) -> list[JobPicture]:
        """The pictures of jobs that are alike (`Job.alike`), made as one batch.

        Raises:
            ValueError: the pipeline cannot do what is asked.
        """


@functools.cache
def instrument(name: str) -> Instrument:
    """An installed instrument by name.

    Raises:
        ValueError: there is none of this name.
    """
    points = metadata.entry_points(group=GROUP, name=name)
    if not points:
        raise ValueError(
            f"there is no instrument {name!r} here: install fouriscale-padtone again, as a whole"
        )
    kind: type[Instrument] = next(iter(points)).load()
    return kind()
