"""Sample one prompt as a job: progress, previews and spectra on the way, files with recipes at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL

from fouriscale.config import FouriScaleConfig
from fouriscale.config_kinds import Config
from fouriscale.hooks.patch import fouriscale
from fouriscale.hooks.pipelines import denoiser_of
from fouriscale.reports.factor import factor_of
from fouriscale.sampling.cascade import Cascade
from fouriscale.sampling.generate import generate
from fouriscale.sampling.inputs import Inputs
from fouriscale.sampling.parameters import parameters_of
from fouriscale.sampling.recipe import Conditioning, File, save
from fouriscale.sampling.schedulers import choose_scheduler
from fouriscale.sampling.strength import steps_of
from fouriscale.sampling.transformers import as_map
from picturelab import clock

from .files import DIRECT, SCALED, sampled_file
from .page_job import PageJob
from .previews import preview
from .spectrum import Activity, activity, radial_power
from .stopping import stoppable

_PREVIEWS = 5  # a run


@dataclass(frozen=True)
class PictureOrder:
    """What to sample: one picture a method and seed, from the same noise. Sizes are in pixels.

    Attributes:
        methods: of `DIRECT` and `SCALED`.
        recorded_model: what the recipe calls the model.
        cascade: how FouriScale's begins at the training size; None samples it once, as where the size leaves
            nothing to enlarge.
        count: of seeds, from `seed` on.
        scheduler: by name; None: the model's own.
        inputs: what the picture is made from beside the prompt.
        names_only: whether the recipe names those files without where they lie.
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
    count: int = 1
    scheduler: str | None = None
    inputs: Inputs = field(default_factory=Inputs)
    names_only: bool = False

    def steps_of(self, method: str) -> int:
        """How many steps a method's picture takes, a cascade's both parts together."""
        if self.inputs.strength is not None:
            return steps_of(self.inputs.strength, self.steps, self.config.DENOISER)
        if self.cascade is None or method != SCALED:
            return self.steps
        return self.steps + self.cascade.steps(self.steps, self.config.DENOISER)


@dataclass(frozen=True)
class SampledPicture:
    """One picture of a job.

    Attributes:
        method: "direct" or "FouriScale".
        path: the PNG, which carries its recipe.
        powers: `radial_power` of the latents after every step.
        seconds: of sampling and decoding, without the turns of other jobs.
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
    runs = [(order.seed + number, method) for number in range(order.count) for method in methods]
    job.of = sum(order.steps_of(method) for _, method in runs)
    with _scheduler(pipe, order.scheduler):
        pictures: list[SampledPicture] = []
        for number, (seed, method) in enumerate(runs, 1):
            picture = _sample_one(
                pipe,
                dataclasses.replace(order, seed=seed),
                method,
                folder,
                job,
                after=sum(order.steps_of(later) for _, later in runs[number:]),
                which="" if order.count == 1 else f"picture {number} of {len(runs)}, seed {seed}: ",
            )
            pictures.append(picture)
            job.outcome = f"{number} picture{'' if number == 1 else 's'}, kept below"
    active = None
    if SCALED in methods and isinstance(order.config, FouriScaleConfig):
        active = activity(
            pipe.unet, order.config, order.height, order.width, order.steps, pipe.vae_scale_factor
        )
        if order.cascade:  # the steps before are made at another size, directly
            active = active.last(order.cascade.steps(order.steps, order.config.DENOISER))
    return SamplingResult(tuple(pictures), active)


@contextmanager
def _scheduler(pipe: Any, name: str | None) -> Iterator[None]:
    """A `with` block in which the pipeline has a scheduler by name; None: its own."""
    own = pipe.scheduler
    try:
        if name is not None:
            pipe.scheduler = choose_scheduler(name, pipe)
        yield
    finally:
        pipe.scheduler = own


def _sample_one(
    pipe: Any, order: PictureOrder, method: str, folder: Path, job: PageJob, after: int, which: str
) -> SampledPicture:
    """A method's picture.

    Args:
        after: how many steps of the job come after it.
        which: of the job's pictures it is.
    """
    begun, done, powers = clock.now(), job.done, list[torch.Tensor]()
    count = order.steps_of(method)
    every = max(1, count // _PREVIEWS)

    def on_step(step: int, steps: int, dilation: float) -> None:
        changed = factor_of(order.config, dilation)
        job.report(done + step, done + steps + after, f"{which}{method}, step {step} of {steps}{changed}")

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
            job.add_preview(preview(pipe, latents), f"{which}{method}, step {step}")

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
            inputs=order.inputs,
        )
    path = sampled_file(folder, order.prompt, order.seed, job, method)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = picture.recipe.model_copy(update={"model": order.recorded_model or order.model})
    if order.names_only:
        recipe = recipe.model_copy(update={"inputs": _without_folders(recipe.inputs)})
    save(picture.image, path, recipe, parameters=parameters_of(recipe))
    return SampledPicture(method, path, tuple(powers), clock.now() - begun)


def _without_folders(inputs: Conditioning) -> Conditioning:
    """The same with files that are named by their last part: where they lie is the host's own affair."""

    def last(file: File | None) -> File | None:
        return None if file is None else file.model_copy(update={"path": Path(file.path).name})

    return inputs.model_copy(update={"image": last(inputs.image), "mask": last(inputs.mask)})
