"""PadTone as an instrument of a batch, see `picturelab.batch.instruments`."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import torch
from diffusers import DiffusionPipeline
from huggingface_hub.errors import HFValidationError
from pydantic import model_validator
from transformers import AutoTokenizer

from picturelab import hub, models
from picturelab.batch.instruments import EncodedText, JobPicture
from picturelab.batch.jobs import Job
from picturelab.bounds import Batch, Name, Seed
from picturelab.pipeline import Pipeline
from picturelab.recipes import versions
from picturelab.text_lengths import EncodingEntry, encoded_as, way_of
from picturelab.worlds import split

from ..families.registry import check_index, family_of
from ..families.table import FAMILIES
from ..hooks.handing_over import drawn
from ..interventions.ite import encode_arms, pipe_arguments, stack_arguments
from ..maths.roles import check_rows
from ..recipe import RECIPE, PromptRecipe
from .request import call_arguments

if TYPE_CHECKING:
    from PIL import Image


class Arm(EncodingEntry, PromptRecipe):
    """Everything that decides the picture of a job: one arm of ITE, and its place in its batch.

    Attributes:
        keep: the arm, by the name that jobs files have for it.
    """

    command: str = "batch"
    keep: Name
    seed: Seed
    batch_size: Batch
    batch_index: int

    @model_validator(mode="after")
    def _together(self) -> Self:
        if not 0 <= self.batch_index < self.batch_size:
            raise ValueError(
                f"the recipe's batch_index={self.batch_index} lies outside its batch of {self.batch_size}"
            )
        return self


class PadToneInstrument:
    """Makes jobs with `keep`: the rows that it names from the prompt's encoding, the rest from the clean one."""

    chunk = RECIPE

    def check(self, job: Job) -> None:
        check_rows(job.keep or "")
        _located(job.model)

    def text_length(self, job: Job) -> int | None:
        tokenizer = _tokenizer_of_ragged(job.model)
        return None if tokenizer is None else len(tokenizer(job.prompt, verbose=False).input_ids)

    def encoder_stays(self, job: Job) -> str | None:
        return "with an arm, the pipeline encodes the negative prompt itself"

    def changed_settings(self, job: Job, recipe: Mapping[str, Any]) -> str | None:
        return None  # a job says all itself

    def load(self, job: Job, device: str, dtype: str) -> Any:
        return models.load_pipeline(job.model, device=device, dtype=dtype, check=check_index)

    def encode(self, pipe: Pipeline, job: Job) -> EncodedText | None:
        with encoded_as(pipe, way_of(pipe, bool(job.pad_text))):
            (text,) = encode_arms(pipe, job.prompt, (job.keep or "full",), options=_call(pipe, job))
        return text

    def paint(
        self, pipe: Pipeline, jobs: Sequence[Job], encodings: Sequence[EncodedText | None]
    ) -> list[JobPicture]:
        call = _call(pipe, jobs[0])
        texts = [_moved(text, pipe._execution_device) for text in encodings if text is not None]
        way = way_of(pipe, bool(jobs[0].pad_text))
        with encoded_as(pipe, way):
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
            encoding=way,
        )
        arms = [
            Arm(prompt=job.prompt, keep=job.keep or "full", seed=job.seed, batch_index=i, **shared)
            for i, job in enumerate(jobs)
        ]
        return [JobPicture(image, arm.model_dump()) for image, arm in zip(images, arms, strict=True)]


def remake(pipe: Pipeline, arm: Arm) -> Image.Image:
    """The picture of a recipe once more. Sets torch's thread count to the recorded one."""
    torch.set_num_threads(arm.threads)
    with encoded_as(pipe, arm.encoding):
        (text,) = encode_arms(pipe, arm.prompt, (arm.keep,), options=arm.call)
        # Its neighbours in the batch do not matter, their number does.
        images = _sampled(pipe, [text] * arm.batch_size, [arm.seed] * arm.batch_size, arm.call)
    return images[arm.batch_index]


def _sampled(
    pipe: Pipeline, texts: Sequence[EncodedText], seeds: Sequence[int], call: dict[str, Any]
) -> list[Image.Image]:
    stacked = stack_arguments(texts, family_of(pipe).layers_first)
    arguments = pipe_arguments(pipe, stacked, len(texts), call)
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    images: list[Image.Image] = drawn(pipe, arguments, noise)
    return images


def _call(pipe: Pipeline, job: Job) -> dict[str, Any]:
    size = None if job.height is None or job.width is None else (job.height, job.width)
    return call_arguments(
        pipe, job.model, size=size, steps=job.steps, guidance=job.guidance, negative=job.negative_prompt
    )


def _moved(text: EncodedText, device: torch.device) -> EncodedText:
    return {
        name: [row.to(device) for row in value] if isinstance(value, list) else value.to(device)
        for name, value in text.items()
    }


@functools.lru_cache(maxsize=64)
def _tokenizer_of_ragged(model: str) -> Any:
    """The tokenizer of a model whose denoiser reads text and picture in one attention and masks or drops padding;
    None: it is no such model, or its tokenizer cannot be had."""
    try:
        kind, offline = _located(model), False
        if kind == "hub":
            offline = hub.problem(model, None) is not None
        index = DiffusionPipeline.load_config(_folder(model), local_files_only=offline)
        family = FAMILIES.get(str(index["_class_name"]))
        if family is None or not family.joint or not family.denoiser_masks:
            return None
        (encoder, *_) = [encoder for encoder in family.encoders if encoder.feeds == "rows"]
        return AutoTokenizer.from_pretrained(
            _folder(model), subfolder=encoder.tokenizer, local_files_only=offline
        )
    except (OSError, ValueError, KeyError, HFValidationError):
        return None


def _folder(model: str) -> str:
    """Where a model's parts are: a folder, or its name on the hub."""
    shipped = split(model)
    return str(shipped[0].folder(shipped[1])) if shipped else model


@functools.lru_cache(maxsize=1024)
def _located(model: str) -> str:
    return models.locate(model, check_index)
