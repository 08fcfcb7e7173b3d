"""FouriScale as an instrument of a batch, see `picturelab.batch.instruments`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from picturelab.batch.instruments import EncodedText, JobPicture
from picturelab.batch.jobs import DIRECT, Job
from picturelab.bounds import shown
from picturelab.hooks.recorded_texts import handed_over, recorded
from picturelab.models import usual_call
from picturelab.notation import parse_control, parse_weighted
from picturelab.pipeline import Pipeline
from picturelab.text_lengths import encoded_as, way_of

from ..config import FouriScaleConfig
from ..config_kinds import Config, check_changes, check_kind, config_of, named_config
from ..hooks.pipelines import denoiser_of
from ..loading.configs import denoiser_config, vae_scale_factor
from ..loading.pipeline import load_pipeline, locate
from ..loading.single_file import recognise
from ..maths.sizes import SIZE_MULTIPLE
from ..maths.wrap import WRAPS, check_sides
from ..position_config import PositionConfig
from ..presets import UNET
from ..recognise import class_of, config_for
from .cascade import Cascade, config_for_run
from .cascade_checks import check_cascade, check_for_transformer
from .generate import check_request, generate, sampling_defaults
from .inputs import Inputs
from .parameters import parameters_of
from .prompts import encode
from .recipe import CHUNK
from .transformers import has_transformer, text_arguments

_UNET_CLASS = "UNet2DConditionModel"
_BEFORE_THE_GRID = ("0.1.0",)  # versions of ours whose fast mode is called layerwise now


class FouriScaleInstrument:
    """Makes jobs without `keep`: with FouriScale, or directly where the preset is "none"."""

    chunk = CHUNK

    def check(self, job: Job) -> None:
        size = (job.height or SIZE_MULTIPLE, job.width or SIZE_MULTIPLE)
        check_request(*size, [job.seed], job.steps or 1, job.guidance or 0.0)
        _check_model(job.model, job.preset, _state(job.model))
        known = _checked_config(job)
        _check_sides(job)
        steps = job.steps or usual_call(job.model).get("num_inference_steps")
        inputs = _inputs(job)
        if steps is not None:
            inputs.check_steps(steps, denoiser=known.DENOISER if known else UNET)
        cascade = _cascade(job)
        if isinstance(known, PositionConfig):
            check_for_transformer(inputs, cascade)
        config = _foreseen_config(job) if cascade else None
        wanted = _size(None, job, config, inputs) if config else None
        direct = job.preset == DIRECT
        check_cascade(cascade, inputs, steps, direct=direct, config=config, size=wanted, wrap=job.wrap)

    def load(self, job: Job, device: str, dtype: str) -> Any:
        preset = None if job.preset == DIRECT else job.preset
        return load_pipeline(job.model, device=device, dtype=dtype, preset=preset)

    def text_length(self, job: Job) -> int | None:
        return None  # a UNet's texts are of one length, and a transformer samples each alone

    def encoder_stays(self, job: Job) -> str | None:
        if job.lora:
            return "a LoRA may change them"
        if job.image or job.mask or job.control or job.cascade:
            return "pipelines that start from pictures are made with them"
        return None

    def encode(self, pipe: Pipeline, job: Job) -> EncodedText | None:
        if job.lora:  # the text encoder may be changed
            return None
        steps, guidance = sampling_defaults(pipe)
        guidance = guidance if job.guidance is None else job.guidance
        if not has_transformer(pipe):
            return encode(pipe, job.prompt, job.negative_prompt, guidance)
        call = text_arguments(pipe, job.prompt, job.negative_prompt, guidance)
        call |= {"num_inference_steps": job.steps or steps}
        with encoded_as(pipe, way_of(pipe, bool(job.pad_text))):
            return recorded(pipe, denoiser_of(pipe), call)

    def paint(
        self, pipe: Pipeline, jobs: Sequence[Job], encodings: Sequence[EncodedText | None]
    ) -> list[JobPicture]:
        first = jobs[0]
        inputs = _inputs(first)
        denoiser = denoiser_of(pipe)
        config = _config(denoiser, first)
        height, width = _size(denoiser, first, config, inputs)
        texts = [text for text in encodings if text is not None]
        way = way_of(pipe, bool(first.pad_text))
        with contextlib.ExitStack() as stack:
            # Where all texts are there, the encoders belong to whoever encodes the next ones.
            stack.enter_context(encoded_as(pipe, way if len(texts) < len(jobs) else None))
            if has_transformer(pipe):
                known = {name: value for text in texts for name, value in text.items()}
                texts = []
                stack.enter_context(handed_over(pipe, known))
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
        recipes = [picture.recipe.model_copy(update={"encoding": way}) for picture in pictures]
        return [
            JobPicture(picture.image, recipe.model_dump(), parameters_of(recipe))
            for picture, recipe in zip(pictures, recipes, strict=True)
        ]

    def changed_settings(self, job: Job, recipe: Mapping[str, Any]) -> str | None:
        recorded = recipe.get("config")
        if job.preset == DIRECT or not isinstance(recorded, dict):
            return None
        config = _foreseen_config(job)
        try:
            before = _effective(config_of(recorded))
        except (ValueError, TypeError):  # whatever is wrong there says so when the job's turn comes
            return None
        now = _effective(config) if config else {}
        differing = [name for name in now if before.get(name, now[name]) != now[name]]
        changes = (f"{name} {shown(before[name])} instead of {shown(now[name])}" for name in differing[:3])
        return ", ".join(changes) or None


def _effective(config: Config) -> dict[str, Any]:
    """The settings that decide pictures, with nothing left to the mode."""
    if isinstance(config, PositionConfig):
        return {"wrap": config.wrap} | config.to_dict()
    resolved = config.resolved()
    return {
        name: value
        for name, value in ({"wrap": config.wrap, "border": config.border} | resolved.to_dict()).items()
        if name != "mode" and (config.deep or not name.startswith("grid_"))
    }


def _config(denoiser: Any, job: Job) -> Config | None:
    """The job's settings; None samples directly.

    Args:
        denoiser: the model's UNet or transformer, or its config.
    """
    if job.preset == DIRECT:
        return None
    config = _named_config(job.preset, json.dumps(_changes(job)), _state(job.preset))
    config = config or config_for_run(denoiser, _cascade(job)).replace(**_changes(job))
    old = job.begun_with in _BEFORE_THE_GRID
    if old and isinstance(config, FouriScaleConfig) and config.mode == "fast":
        return config.replace(mode="layerwise")
    return config


def _changes(job: Job) -> dict[str, Any]:
    """The settings that differ from the preset's."""
    return (job.config or {}) | ({} if job.wrap is None else {"wrap": job.wrap})


def _check_sides(job: Job) -> None:
    """Refuse a size that cannot wrap, where the model's config is within reach."""
    axes = WRAPS[_changes(job).get("wrap", "none")]
    unet = _denoiser_config(job.model, _state(job.model)) if any(axes) else None
    if unet is None or class_of(unet) != _UNET_CLASS:
        return
    if job.height is not None and job.width is not None:
        multiple = vae_scale_factor(job.model) * 2 ** (len(unet.get("down_block_types", "1234")) - 1)
        check_sides((job.height, job.width), multiple, axes)


def _checked_config(job: Job) -> Config | None:
    """The job's settings as far as they can be told before its model is loaded.

    Raises:
        ValueError: there is no such preset, or it has no such settings.
    """
    changes = json.dumps(_changes(job))
    config = _named_config(job.preset, changes, _state(job.preset))
    if job.preset == DIRECT or locate(job.model) == "hub":  # which is not asked for every jobs file
        return config
    own = _model_config(job.model, changes if config is None else "{}", _state(job.model))
    if own is not None and config is not None:
        check_kind(config, own.DENOISER, job.model)
    return config or own


@functools.lru_cache(maxsize=1024)
def _model_config(model: str, changes: str, state: tuple[int, int] | None) -> Config | None:
    """The settings of a model's family with changes, which are JSON; None: they cannot be told yet."""
    denoiser, different = _denoiser_config(model, state), json.loads(changes) or {}
    if denoiser is None:
        return None
    if class_of(denoiser) == _UNET_CLASS:  # any UNet's preset shows whether the changes fit
        return FouriScaleConfig.preset("sd15", **different)
    return config_for(denoiser).replace(**different)


def _foreseen_config(job: Job) -> Config | None:
    """The job's settings before its model is loaded; None where they cannot be told."""
    # A preset needs no model.
    denoiser = {} if job.preset is not None else _denoiser_config(job.model, _state(job.model))
    try:
        return None if denoiser is None else _config(denoiser, job)
    except (ValueError, TypeError):  # whatever is wrong there says so when the job's turn comes
        return None


@functools.lru_cache(maxsize=1024)
def _denoiser_config(model: str, state: tuple[int, int] | None) -> dict[str, Any] | None:
    """A model's UNet's or transformer's config; None where it cannot be read.

    It is tried once, as a hub may be out of reach.

    Args:
        state: of the model's file.
    """
    try:
        return denoiser_config(model)
    except (ValueError, TypeError):
        return None


def _size(denoiser: Any, job: Job, config: Config | None, inputs: Inputs) -> tuple[int, int]:
    """(height, width) in pixels, as `fouriscale generate` chooses it; the model decides where there is no config."""
    if job.height is not None and job.width is not None:
        return job.height, job.width
    return inputs.size or (config or config_for_run(denoiser, None)).scaled_size(2)


@functools.lru_cache(maxsize=1024)
def _named_config(preset: str | None, changes: str, state: tuple[int, int] | None) -> Config | None:
    """A named preset with changes, which are JSON, so that they can be a key; None: not named.

    Args:
        state: of the preset's file.
    """
    different = json.loads(changes) or {}
    if preset == DIRECT:
        return None
    if preset is None:
        # The model's own preset is known when it is loaded; until then any shows whether the changes fit.
        check_changes(different)
        return None
    return named_config(preset, **different)


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
