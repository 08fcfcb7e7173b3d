"""Where in a run a call of the UNet is, and what it is to do there."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ..config import FouriScaleConfig
from ..maths.grid import Levels
from ..maths.plan import Plan, Rows, Sparsity
from ..maths.schedule import GridSchedule, Schedule
from ..maths.sizes import Size
from ..maths.wrap import NOWHERE, Axes
from .pipelines import Sampler
from .steps import Steps


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in which run a call of the UNet is.

    Attributes:
        latent_size: of the sample.
        training_size: in latent pixels.
        factor: how many times that is taken on each axis, 2 or more; rounded up for the deep grid.
        schedule: of the run.
        step: of the call.
    """

    latent_size: Size
    training_size: Size
    factor: int
    schedule: Schedule | GridSchedule
    step: int

    @property
    def active(self) -> bool:
        return self.schedule.active(self.step)


def find_place(
    pipe: Sampler,
    config: FouriScaleConfig,
    sample: torch.Tensor,
    timestep: torch.Tensor | float,
    steps: Steps,
) -> Place | None:
    """None within the training size.

    Args:
        pipe: whose call it is.
        sample, timestep: the call's.
        steps: where the run's timesteps are looked up.

    Raises:
        ValueError: the rows have several timesteps.
    """
    latent_size = (sample.shape[-2], sample.shape[-1])
    scale = pipe.vae_scale_factor
    height, width = (side * scale for side in latent_size)
    fit = config.fit(height, width)
    if fit.dilation == 1:
        return None
    # Not every scheduler counts its steps, and image-to-image starts in their midst: look the step up. Some call the
    # UNet twice at a timestep; for the deep grid, which lasts nearly to the end, that is one step.
    step, count = steps.find(pipe.scheduler.timesteps, timestep, distinct=config.deep)
    if config.deep:  # the training size's area in the picture's own shape
        rows, columns = (max(round(side / fit.dilation), 1) for side in latent_size)
    else:
        rows, columns = (math.ceil(side / scale) for side in fit.training_size)
    return Place(
        latent_size=latent_size,
        training_size=(rows, columns),
        factor=math.ceil(fit.dilation),
        schedule=config.schedule(height, width, count),
        step=step,
    )


def plan_for(
    place: Place, config: FouriScaleConfig, rows: Rows, levels: Levels, wrap: Axes = NOWHERE
) -> Plan:
    """What an active call does to convolutions, rows and blocks, on a picture that wraps on these axes."""
    dilation, grid = place.schedule.at(place.step), None
    if config.deep:
        grid = levels.deep_grid(place.latent_size, dilation, config.grid_resampling, wrap)
    return Plan(
        dilation=dilation,
        strong_dilation=math.ceil(dilation),
        weak_dilation=math.ceil(max(dilation / config.weak_dilation_divisor, 1)),
        latent_size=place.latent_size,
        training_size=place.training_size,
        factor=place.factor,
        floor=config.floor,
        rows=rows.count,
        guided=rows.guided,
        guidance_rows=rows.conditional if config.chosen("third_branch") else 0,
        guidance_factor=config.early_guidance if place.step < place.schedule.start else 1.0,
        decimated=config.chosen("convolution") == "decimated",
        grid=grid,
        wrap=wrap,
        border=config.border,
    )


def sparsity_for(place: Place, config: FouriScaleConfig) -> Sparsity | None:
    """Which tokens see which in a call's self-attentions; None: all see all."""
    kind = config.chosen("attention" if place.active else "late_attention")
    if kind == "full":
        return None
    if kind == "downsampled keys":
        return Sparsity(latent_size=place.latent_size, training_size=place.training_size)
    factor = math.ceil(place.schedule.at(place.step)) if place.active else place.factor
    return Sparsity(latent_size=place.latent_size, training_size=place.training_size, factor=factor)
