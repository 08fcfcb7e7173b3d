"""PadTone as an instrument of a batch, see `picturelab.batch.instruments`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt

from picturelab import models
from picturelab.batch.instruments import EncodedText, JobPicture
from picturelab.batch.jobs import Job
from picturelab.recipes import parsed, versions

from ..families.registry import check_known
from ..interventions.ite import encode_arms, pipe_arguments, stack_arguments
from ..maths.roles import check_keep
from ..reports.grid import RECIPE
from .request import call_arguments

if TYPE_CHECKING:
    from PIL import Image


class Arm(BaseModel):
    """Everything that decides the picture of a job: one arm of ITE, and its place in its batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = "batch"
    prompt: str
    keep: str
    seed: int
    model: str
    revision: str | None  # a hub commit, or a fingerprint of local weights
    call: dict[str, Any]  # what the pipeline was called with
    batch_size: PositiveInt
    batch_index: int
    device: str
    dtype: str
    threads: PositiveInt
    versions: dict[str, str]

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Arm:
        """From plain values, such as a picture carries.

        Raises:
            ValueError: an entry is missing, unknown or of the wrong type.
        """
        made = parsed(cls, values)
        if not 0 <= made.batch_index < made.batch_size:
            raise ValueError(
                f"the recipe's batch_index={made.batch_index} lies outside its batch of {made.batch_size}"
            )
        return made


class PadToneInstrument:
    """Makes jobs with `keep`: the rows that it names from the prompt's encoding, the rest from the clean one."""

    chunk = RECIPE
    reads_text = True  # the pipeline encodes the negative prompt itself

    def check(self, job: Job) -> None:
        check_keep(job.keep or "")
        _located(job.model)

    def load(self, job: Job, device: str, dtype: str) -> Any:
        return models.load_pipeline(job.model, device=device, dtype=dtype, check=_known)

    def encode(self, pipe: Any, job: Job) -> EncodedText | None:
        (made,) = encode_arms(pipe, job.prompt, (job.keep or "full",), options=_call(pipe, job))
        return made

    def paint(
        self, pipe: Any, jobs: Sequence[Job], encodings: Sequence[EncodedText | None]
    ) -> list[JobPicture]:
        call = _call(pipe, jobs[0])
        texts = [_moved(text, pipe._execution_device) for text in encodings if text is not None]
        images = _sampled(pipe, texts, [job.seed for job in jobs], call)
        where = models.origin(pipe)
        shared: dict[str, Any] = dict(
            model=where.model,
            revision=where.revision,
            call=call,
            batch_size=len(jobs),
            device=str(pipe.device),
            dtype=str(pipe.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            versions=versions(),
        )
        arms = [
            Arm(prompt=job.prompt, keep=job.keep or "full", seed=job.seed, batch_index=i, **shared)
            for i, job in enumerate(jobs)
        ]
        return [JobPicture(image, arm.model_dump()) for image, arm in zip(images, arms, strict=True)]


def remake(pipe: Any, arm: Arm) -> Image.Image:
    """The picture of a recipe once more. Sets torch's thread count to the recorded one."""
    torch.set_num_threads(arm.threads)
    (text,) = encode_arms(pipe, arm.prompt, (arm.keep,), options=arm.call)
    # Its neighbours in the batch do not matter, their number does.
    return _sampled(pipe, [text] * arm.batch_size, [arm.seed] * arm.batch_size, arm.call)[arm.batch_index]


def _sampled(
    pipe: Any, texts: Sequence[EncodedText], seeds: Sequence[int], call: dict[str, Any]
) -> list[Image.Image]:
    arguments = pipe_arguments(pipe, stack_arguments(texts), len(texts), call)
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    images: list[Image.Image] = pipe(**arguments, generator=noise).images
    return images


def _call(pipe: Any, job: Job) -> dict[str, Any]:
    size = None if job.height is None or job.width is None else (job.height, job.width)
    return call_arguments(
        pipe, job.model, size=size, steps=job.steps, guidance=job.guidance, negative=job.negative_prompt
    )


def _moved(text: EncodedText, device: torch.device) -> EncodedText:
    return {
        name: [row.to(device) for row in value] if isinstance(value, list) else value.to(device)
        for name, value in text.items()
    }


def _known(index: dict[str, Any], model: str) -> None:
    check_known(index.get("_class_name"), model)


@functools.lru_cache(maxsize=1024)
def _located(model: str) -> str:
    return models.locate(model, _known)
