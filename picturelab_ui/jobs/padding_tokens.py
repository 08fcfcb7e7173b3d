"""PadTone's measurements of one prompt as jobs: progress on the way, and stopped where they can be."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from padtone.audit.clip import Clip
from padtone.audit.prompts import Prompts, read_prompts, scene_prompts, studies_folder
from padtone.audit.run import plain_shares
from padtone.audit.settings import AuditSettings
from padtone.families.registry import denoiser_of, family_of
from padtone.interventions.attention import attention_to_padding
from padtone.recipe import save_with_recipe
from padtone.runs.audit import carry_out, usual_batch, usual_clip
from padtone.runs.request import Request, call_arguments, lay_out, make_arms
from picturelab import worlds
from picturelab.models import origin
from picturelab.recipes import versions
from picturelab.runs.folder import OnProgress
from picturelab.textfiles import lines

from .curve import Curve, keep_curve
from .files import picture_name
from .page_job import PageJob
from .stopping import counted, stoppable

COMMANDS: tuple[Literal["ite", "idp"], ...] = ("ite", "idp")


@dataclass(frozen=True)
class ArmPictures:
    """Both interventions on one prompt: {"ite" or "idp": {arm: picture}}, and their grids' files."""

    pictures: dict[str, dict[str, Image.Image]]
    grids: dict[str, Path]


@dataclass(frozen=True)
class AttentionResult:
    """Shares of attention: {group: table of (layers, steps)}, see `padtone.audit.run.plain_shares`."""

    groups: dict[str, list[list[float]]]


@dataclass(frozen=True)
class AuditResult:
    """An audit's report.json as values, and where report.html is."""

    results: dict[str, Any]
    page: Path


def both_interventions(
    pipe: Any,
    prompt: str,
    arms: Sequence[str | list[int]],
    *,
    seed: int,
    steps: int,
    folder: Path,
    job: PageJob,
    model: str | None = None,
) -> ArmPictures:
    """ITE and IDP from the same noise; each grid is written with its recipe, for `padtone remake`.

    Args:
        model: its name in the recipe; None takes where it was loaded from.

    Raises:
        ValueError: see `padtone.ite` and `padtone.idp_arms`. Cancelled: the job was cancelled.
    """
    pictures: dict[str, dict[str, Image.Image]] = {}
    grids: dict[str, Path] = {}
    for number, command in enumerate(COMMANDS):
        request = _request(pipe, command, prompt, arms, seed, steps)
        job.of = len(COMMANDS) * steps
        with counted(_denoiser(pipe), job, steps, command.upper(), first=number * steps):
            images = make_arms(pipe, request)
        pictures[command] = {arm: of_seeds[0] for arm, of_seeds in images.items()}
        grids[command] = folder / f"{command}-{picture_name(prompt, seed, job)}.png"
        recipe = request.model_dump() | ({"model": model} if model is not None else {})
        folder.mkdir(parents=True, exist_ok=True)
        save_with_recipe(lay_out(request, images), grids[command], recipe)
    return ArmPictures(pictures, grids)


def _request(
    pipe: Any,
    command: Literal["ite", "idp"],
    prompt: str,
    arms: Sequence[str | list[int]],
    seed: int,
    steps: int,
) -> Request:
    """As `padtone ite` and `padtone idp` make it, with their usual settings."""
    model = origin(pipe)
    return Request(
        command=command,
        prompt=prompt,
        model=model.model,
        revision=model.revision,
        arms=list(arms),
        seeds=[seed],
        clean="padding",
        pooled="full",
        layers=None,
        span=(0.0, 1.0),
        call=call_arguments(pipe, model.model, steps=steps),
        device=str(pipe.device),
        dtype=str(pipe.dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        versions=versions(),
    )


def curve(pipe: Any, prompt: str, *, seed: int, steps: int, job: PageJob) -> Curve:
    """The keep-k curve of one prompt, from two seeds, `seed` and the next. Raises what `keep_curve` does."""
    model = origin(pipe).model
    call = call_arguments(pipe, model, steps=steps)
    clip = Clip.load(usual_clip(model), pipe._execution_device)
    with stoppable(_denoiser(pipe), job):
        return keep_curve(pipe, call, clip, prompt, [seed, seed + 1], _on_progress(job))


def attention(pipe: Any, prompt: str, *, seed: int, steps: int, job: PageJob) -> AttentionResult:
    """Attention by role, layer and step. Raises what `attention_to_padding` does."""
    call = call_arguments(pipe, origin(pipe).model, steps=steps)
    with counted(_denoiser(pipe), job, steps, "looking"):
        return AttentionResult(plain_shares(attention_to_padding(pipe, prompt, seed=seed, **call)))


def audit(
    pipe: Any,
    prompts: Prompts,
    *,
    seeds: int,
    steps: int | None,
    folder: Path,
    job: PageJob,
    model: str | None = None,
) -> AuditResult:
    """An audit in a folder of its own, which does not stay unless the audit is finished.

    Args:
        steps: None takes the model's own.
        model: its name in the report; None takes where it was loaded from.

    Raises:
        ValueError: see `padtone.audit.run`. Cancelled: the job was cancelled.
    """
    source = origin(pipe)
    settings = AuditSettings(
        model=model or source.model,
        clip=usual_clip(source.model),
        prompts=prompts.texts,
        kinds=prompts.kinds,
        seeds=seeds,
        call=call_arguments(pipe, source.model, steps=steps),
        batch=usual_batch(source.model),
        precision=str(pipe.dtype).removeprefix("torch."),
        revision=source.revision,
    )
    own = folder / f"audit-{job.id}"
    try:
        with stoppable(_denoiser(pipe), job):
            results, page = carry_out(pipe, settings, own, judge=prompts.judge, progress=_on_progress(job))
    except BaseException:
        shutil.rmtree(own, ignore_errors=True)
        for emptied in (folder, folder.parent):
            with contextlib.suppress(OSError):  # it holds something else
                emptied.rmdir()
        raise
    return AuditResult(results, page)


def audit_prompts(model: str, typed: str, count: int) -> Prompts:
    """Prompts typed one a line, or `count` of our own where nothing is typed.

    Raises:
        ValueError: fewer than two, or one of them twice.
    """
    texts = tuple(line for _, line in lines(typed))
    if not texts:
        shipped = worlds.split(model)
        if shipped is not None:
            return scene_prompts(shipped[0], count)
        return read_prompts(studies_folder() / "prompts.yaml").first(count)
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise ValueError(
            f"an audit needs two or more prompts, all different; got {len(set(texts))} different ones"
        )
    return Prompts(texts)


def _denoiser(pipe: Any) -> Any:
    return denoiser_of(pipe, family_of(pipe))


def _on_progress(job: PageJob) -> OnProgress:
    return lambda stage, done, total: job.report(done, total, f"{stage}, {done} of {total}")
