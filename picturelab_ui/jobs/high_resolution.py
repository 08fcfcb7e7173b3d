"""Sample one prompt as a job: progress, previews and spectra on the way, files with recipes at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fouriscale.config import FouriScaleConfig
from fouriscale.hooks.patch import fouriscale
from fouriscale.sampling.generate import generate
from fouriscale.sampling.recipe import save
from picturelab.files import slug

from .previews import preview
from .runner import PageJob, stoppable
from .spectrum import Activity, activity, radial_power

DIRECT, SCALED = "direct", "FouriScale"
_PREVIEWS = 5  # a run


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
    """What a job made, and what FouriScale did; `activity` is None where it was not asked for."""

    made: tuple[SampledPicture, ...]
    activity: Activity | None

    def path(self, method: str) -> Path | None:
        return next((one.path for one in self.made if one.method == method), None)


def sample(
    pipe: Any,
    prompt: str,
    *,
    config: FouriScaleConfig,
    methods: Sequence[str],
    folder: Path,
    job: PageJob,
    height: int,
    width: int,
    seed: int,
    steps: int,
    guidance: float,
    negative_prompt: str | None = None,
) -> SamplingResult:
    """One picture a method, from the same noise, each written into `folder`.

    Args:
        methods: of `DIRECT` and `SCALED`.
        job: is told of progress, and stops the run between two blocks of the UNet once cancelled.

    Raises:
        ValueError: see `generate`. Cancelled: the job was cancelled.
    """
    with fouriscale(pipe, config):  # a config that does not fit shows before the time is spent
        pass
    # FouriScale first: a config that does not fit the size shows early too.
    ordered = [method for method in (SCALED, DIRECT) if method in methods]
    settings: dict[str, Any] = dict(
        height=height,
        width=width,
        seed=seed,
        steps=steps,
        guidance=guidance,
        negative_prompt=negative_prompt,
    )
    made, job.of = [], steps * len(ordered)
    for number, method in enumerate(ordered):
        before, powers = job.seconds, list[torch.Tensor]()
        every = max(1, steps // _PREVIEWS)

        def on_step(step: int, of: int, dilation: float, method: str = method, first: int = number) -> None:
            note = f"{method}, step {step} of {of}, dilation {dilation:.2f}"
            job.report(first * of + step, len(ordered) * of, note)

        def on_latents(
            step: int,
            latents: torch.Tensor,
            method: str = method,
            powers: list[torch.Tensor] = powers,
            every: int = every,
        ) -> None:
            job.check()
            powers.append(radial_power(latents))
            if step % every == 0 and step < steps:
                job.show(preview(pipe, latents), f"{method} {step}")

        with stoppable(pipe.unet, job):
            (picture,) = generate(
                pipe,
                prompt,
                config=config if method == SCALED else None,
                on_step=on_step,
                on_latents=on_latents,
                **settings,
            )
        path = folder / f"{slug(prompt)[:40]}-{seed}-{job.id[:6]}-{method.lower()}.png"
        save(picture.image, path, picture.recipe)
        made.append(SampledPicture(method, path, tuple(powers), job.seconds - before))
    shown = None
    if SCALED in methods:
        shown = activity(pipe.unet, config, height, width, steps, pipe.vae_scale_factor)
    return SamplingResult(tuple(made), shown)
