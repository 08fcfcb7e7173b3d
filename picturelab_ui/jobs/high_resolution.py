"""Sample one prompt as a job: progress, previews and spectra on the way, files with recipes at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from fouriscale.config import FouriScaleConfig
from fouriscale.config_kinds import Config
from fouriscale.hooks.patch import fouriscale
from fouriscale.hooks.pipelines import denoiser_of
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate
from fouriscale.sampling.parameters import parameters_of
from fouriscale.sampling.recipe import save
from fouriscale.sampling.transformers import as_map

from .files import DIRECT, SCALED, sampled_file
from .previews import preview
from .runner import PageJob
from .spectrum import Activity, activity, radial_power
from .stopping import stoppable

_PREVIEWS = 5  # a run


@dataclass(frozen=True)
class PictureOrder:
    """What to sample: one picture a method, from the same noise. Sizes are in pixels.

    Attributes:
        methods: of `DIRECT` and `SCALED`.
        recorded_model: what the recipe calls the model.
        cascade: how FouriScale's begins at the training size; None samples it once, as where the size leaves
            nothing to enlarge.
    """

    prompt: str
    model: str
    height: int
    width: int
    seed: int
    steps: int
    guidance: float
    config: Config
    methods: tuple[str, ...] = (SCALED, DIRECT)
    negative_prompt: str | None = None
    cascade: Cascade | None = None
    recorded_model: str = ""

    def steps_of(self, method: str) -> int:
        """How many steps a method's picture takes, a cascade's both parts together."""
        finishing = self.cascade.steps(self.steps) if self.cascade and method == SCALED else 0
        return self.steps + finishing


@dataclass(frozen=True)
class SampledPicture:
    """One picture of a job.

    Attributes:
        method: "direct" or "FouriScale".
        path: the PNG, which carries its recipe.
        powers: `radial_power` of the latents after every step.
        seconds: of sampling and decoding.
    """

    method: str
    path: Path
    powers: tuple[torch.Tensor, ...]
    seconds: float


@dataclass(frozen=True)
class SamplingResult:
    """A job's pictures, and what FouriScale did to a UNet; `activity` is None where it did not sample any."""

    pictures: tuple[SampledPicture, ...]
    activity: Activity | None

    def path(self, method: str) -> Path | None:
        return next((picture.path for picture in self.pictures if picture.method == method), None)


def sample(pipe: Any, order: PictureOrder, *, folder: Path, job: PageJob) -> SamplingResult:
    """The order's pictures, each written into `folder`.

    Args:
        job: gets the progress, and stops the run between two blocks of the denoiser once cancelled.

    Raises:
        ValueError: see `generate`. Cancelled: the job was cancelled.
    """
    with fouriscale(pipe, order.config):  # a config that does not fit shows before the time is spent
        pass
    # FouriScale first: a config that does not fit the size shows early too.
    methods = [method for method in (SCALED, DIRECT) if method in order.methods]
    job.of = sum(map(order.steps_of, methods))
    pictures = tuple(
        _sample_one(pipe, order, method, folder, job, after=sum(map(order.steps_of, methods[number + 1 :])))
        for number, method in enumerate(methods)
    )
    active = None
    if SCALED in methods and isinstance(order.config, FouriScaleConfig):
        active = activity(
            pipe.unet, order.config, order.height, order.width, order.steps, pipe.vae_scale_factor
        )
        if order.cascade:  # the steps before are made at another size, directly
            active = active.last(order.cascade.steps(order.steps))
    return SamplingResult(pictures, active)


def _sample_one(
    pipe: Any, order: PictureOrder, method: str, folder: Path, job: PageJob, after: int
) -> SampledPicture:
    """A method's picture; `after`: how many steps of the job come after it."""
    seconds, done, powers = job.seconds, job.done, list[torch.Tensor]()
    count = order.steps_of(method)
    every = max(1, count // _PREVIEWS)

    def on_step(step: int, steps: int, dilation: float) -> None:
        dilated = f", dilation {dilation:.2f}" if isinstance(order.config, FouriScaleConfig) else ""
        job.report(done + step, done + steps + after, f"{method}, step {step} of {steps}{dilated}")

    def on_latents(step: int, latents: torch.Tensor) -> None:
        job.check()
        maps = as_map(pipe, latents, (order.height, order.width))
        if maps is None or not isinstance(
            pipe.vae, AutoencoderKL
        ):  # which a small preview could not be decoded with
            return
        latents = maps
        if latents.shape[-2] * pipe.vae_scale_factor == order.height:  # and not of a cascade's first part
            powers.append(radial_power(latents))
        if step % every == 0 and step < count:
            job.add_preview(preview(pipe, latents), f"{method} {step}")

    with stoppable(denoiser_of(pipe), job):
        (picture,) = generate(
            pipe,
            order.prompt,
            height=order.height,
            width=order.width,
            seed=order.seed,
            steps=order.steps,
            guidance=order.guidance,
            negative_prompt=order.negative_prompt,
            config=order.config if method == SCALED else None,
            on_step=on_step,
            on_latents=on_latents,
            cascade=order.cascade if method == SCALED else None,
        )
    path = sampled_file(folder, order.prompt, order.seed, job, method)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = picture.recipe.model_copy(update={"model": order.recorded_model or order.model})
    save(picture.image, path, recipe, parameters=parameters_of(recipe))
    return SampledPicture(method, path, tuple(powers), job.seconds - seconds)
