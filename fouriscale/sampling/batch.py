"""FouriScale as an instrument of a batch, see `picturelab.batch.instruments`."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from picturelab.batch.instruments import EncodedText, JobPicture
from picturelab.batch.jobs import DIRECT, Job
from picturelab.bounds import shown
from picturelab.models import usual_call
from picturelab.notation import parse_control, parse_weighted
from picturelab.pipeline import UNetPipeline

from ..config import FouriScaleConfig
from ..loading.configs import unet_config
from ..loading.pipeline import load_pipeline, locate
from ..loading.single_file import recognise
from ..maths.sizes import SIZE_MULTIPLE
from .cascade import Cascade, config_for_run
from .cascade_checks import check_cascade
from .generate import check_request, generate, sampling_defaults
from .inputs import Inputs
from .prompts import encode
from .recipe import CHUNK

_BEFORE_THE_GRID = ("0.1.0",)  # versions of ours whose fast mode is called layerwise now


class FouriScaleInstrument:
    """Makes jobs without `keep`: with FouriScale, or directly where the preset is "none"."""

    chunk = CHUNK
    reads_text = False

    def check(self, job: Job) -> None:
        size = (job.height or SIZE_MULTIPLE, job.width or SIZE_MULTIPLE)
        check_request(*size, [job.seed], job.steps or 1, job.guidance or 0.0)
        _check_model(job.model, job.preset, _state(job.model))
        _named_config(job.preset, json.dumps(job.config), _state(job.preset))
        steps = job.steps or usual_call(job.model).get("num_inference_steps")
        inputs = _inputs(job)
        if steps is not None:
            inputs.check_steps(steps)
        cascade = _cascade(job)
        config = _foreseen_config(job) if cascade else None
        wanted = _size(None, job, config, inputs) if config else None
        check_cascade(cascade, inputs, steps, direct=job.preset == DIRECT, config=config, size=wanted)

    def load(self, job: Job, device: str, dtype: str) -> Any:
        preset = None if job.preset == DIRECT else job.preset
        return load_pipeline(job.model, device=device, dtype=dtype, preset=preset)

    def encode(self, pipe: UNetPipeline, job: Job) -> EncodedText | None:
        if job.lora:  # the text encoder may be changed by it
            return None
        guidance = sampling_defaults(pipe)[1] if job.guidance is None else job.guidance
        return encode(pipe, job.prompt, job.negative_prompt, guidance)

    def paint(
        self, pipe: UNetPipeline, jobs: Sequence[Job], encodings: Sequence[EncodedText | None]
    ) -> list[JobPicture]:
        first = jobs[0]
        inputs = _inputs(first)
        config = _config(pipe.unet, first)
        height, width = _size(pipe.unet, first, config, inputs)
        texts = [text for text in encodings if text is not None]
        pictures = generate(
            pipe,
            [job.prompt for job in jobs],
            height=height,
            width=width,
            seed=[job.seed for job in jobs],
            steps=first.steps,
            guidance=first.guidance,
            negative_prompt=first.negative_prompt,
            config=config,
            inputs=inputs,
            texts=texts if len(texts) == len(jobs) else None,
            cascade=_cascade(first),
        )
        return [JobPicture(picture.image, picture.recipe.model_dump()) for picture in pictures]

    def changed_settings(self, job: Job, recipe: Mapping[str, Any]) -> str | None:
        recorded = recipe.get("config")
        if job.preset == DIRECT or not isinstance(recorded, dict):
            return None
        config = _foreseen_config(job)
        try:
            before = _effective(FouriScaleConfig.from_dict(recorded))
        except (ValueError, TypeError):  # whatever is wrong there says so when the job's turn comes
            return None
        now = _effective(config) if config else {}
        differing = [name for name in now if before.get(name, now[name]) != now[name]]
        changes = (f"{name} {shown(before[name])} instead of {shown(now[name])}" for name in differing[:3])
        return ", ".join(changes) or None


def _effective(config: FouriScaleConfig) -> dict[str, Any]:
    """The settings that decide pictures, with nothing left to the mode."""
    return {
        name: value
        for name, value in config.resolved().to_dict().items()
        if name != "mode" and (config.deep or not name.startswith("grid_"))
    }


def _config(unet: Any, job: Job) -> FouriScaleConfig | None:
    """The job's settings; None samples directly.

    Args:
        unet: the model's UNet, or its config.
    """
    if job.preset == DIRECT:
        return None
    config = _named_config(job.preset, json.dumps(job.config), _state(job.preset))
    config = config or config_for_run(unet, _cascade(job)).replace(**(job.config or {}))
    if job.begun_with in _BEFORE_THE_GRID and config.mode == "fast":
        return config.replace(mode="layerwise")
    return config


def _foreseen_config(job: Job) -> FouriScaleConfig | None:
    """The job's settings before its model is loaded; None where they cannot be told."""
    unet = {} if job.preset is not None else _unet_config(job.model, _state(job.model))  # a preset needs none
    try:
        return None if unet is None else _config(unet, job)
    except (ValueError, TypeError):  # whatever is wrong there says so when the job's turn comes
        return None


@functools.lru_cache(maxsize=1024)
def _unet_config(model: str, state: tuple[int, int] | None) -> dict[str, Any] | None:
    """A model's UNet's config; None where it cannot be read, which is tried once, as a hub may be out of reach.

    Args:
        state: of the model's file.
    """
    try:
        return unet_config(model)
    except (ValueError, TypeError):
        return None


def _size(unet: Any, job: Job, config: FouriScaleConfig | None, inputs: Inputs) -> tuple[int, int]:
    """(height, width) in pixels, as `fouriscale generate` chooses it; the UNet decides where there is no config."""
    if job.height is not None and job.width is not None:
        return job.height, job.width
    return inputs.size or (config or config_for_run(unet, None)).scaled_size(2)


@functools.lru_cache(maxsize=1024)
def _named_config(preset: str | None, changes: str, state: tuple[int, int] | None) -> FouriScaleConfig | None:
    """A named preset with changes, which are JSON, so that they can be a key; None: not named.

    Args:
        state: of the preset's file.
    """
    different = json.loads(changes) or {}
    if preset == DIRECT:
        return None
    if preset is None:
        # The model's own preset is known when it is loaded; until then any shows whether the changes fit.
        FouriScaleConfig.preset("sd15", **different)
        return None
    return FouriScaleConfig.named(preset, **different)


@functools.lru_cache(maxsize=1024)
def _check_model(model: str, preset: str | None, state: tuple[int, int] | None) -> None:
    if locate(model) == "file":
        recognise(Path(model), preset)


def _state(name: str | None) -> tuple[int, int] | None:
    """Of what may be a file, so that nothing is remembered of one that has been written since."""
    if name is None or not os.path.isfile(name):  # unlike pathlib, it bears any name
        return None
    status = os.stat(name)
    return status.st_size, status.st_mtime_ns


def _cascade(job: Job) -> Cascade | None:
    return Cascade.chosen(job.cascade, job.cascade_strength, job.cascade_upsampling)


def _inputs(job: Job) -> Inputs:
    if not (job.image or job.mask or job.strength or job.control or job.lora):
        return Inputs()
    return Inputs(
        image=Path(job.image) if job.image else None,
        strength=job.strength,
        mask=Path(job.mask) if job.mask else None,
        controls=tuple(map(parse_control, job.control)),
        loras=tuple(map(parse_weighted, job.lora)),
    )
