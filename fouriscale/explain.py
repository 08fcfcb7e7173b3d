"""What FouriScale would do for a model and a size, and what it would cost, before any weight is loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from . import sizes
from .config import FouriScaleConfig
from .lowpass import LowPass
from .patch import current_state, fouriscale
from .targets import listed_convolutions


@dataclass(frozen=True)
class Explanation:
    """What would be done for one size. Sizes are (height, width) in pixels.

    Attributes:
        fit: the training size chosen, its dilation and the padded size.
        layers: the config's patterns.
        convolutions: how many convolutions they name, and how many of those are filtered.
        steps: of the run.
        dilations: of each step, before rounding up; 1.0 where the UNet is its plain self.
        step_cost: multiply-adds of the first active step over those of a direct step.
        run_cost: the same for the whole run.
        parameters: of the UNet.
        filter_values: numbers in the filters of the first step.
        row_factor: rows of an active step over those of a direct one; feature maps grow alike.
    """

    size: tuple[int, int]
    fit: sizes.Fit
    layers: tuple[str, ...]
    convolutions: tuple[int, int]
    steps: int
    dilations: tuple[float, ...]
    step_cost: float
    run_cost: float
    parameters: int
    filter_values: int
    row_factor: float

    @property
    def active(self) -> int:
        """How many steps differ from the plain UNet."""
        return sum(d > 1 for d in self.dilations)


class _Guided:
    """Stands in for a pipeline that samples with guidance."""

    do_classifier_free_guidance = True

    def __init__(self, unet: UNet2DConditionModel, scale: int, steps: int):
        self.unet, self.vae_scale_factor = unet, scale
        self.scheduler = SimpleNamespace(timesteps=torch.arange(steps - 1, -1, -1))


def explain(
    unet_config: Mapping[str, Any],
    height: int,
    width: int,
    *,
    steps: int,
    config: FouriScaleConfig,
    vae_scale_factor: int = 8,
) -> Explanation:
    """What would be done at `height` x `width` pixels over `steps` steps with guidance.

    The UNet is built from its config on torch's meta device, so nothing is computed and hardly any
    memory is taken. Costs are multiply-adds; how long they take depends on the machine.

    Raises:
        ValueError: the size is no multiple of 8, or a layer pattern matches nothing in the UNet.
    """
    sizes.check_size(height, width, 8)
    if steps < 1:
        raise ValueError(f"steps={steps}: must be at least 1")
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(dict(unet_config)).eval()
    fit, schedule = config.fit(height, width), config.schedule(height, width, steps)
    dilations = tuple(schedule.at(i) if schedule.active(i) else 1.0 for i in range(steps))
    listed = listed_convolutions(unet, config, object)
    pipe = _Guided(unet, vae_scale_factor, steps)
    latent_size = height // vae_scale_factor, width // vae_scale_factor
    each = {1: _multiply_adds(unet, latent_size, 0)}  # by whole dilation, which decides but for a trifle
    filter_values, row_factor = 0, 1.0
    with fouriscale(pipe, config):
        for step, d in enumerate(dilations):
            if math.ceil(d) not in each:
                each[math.ceil(d)] = _multiply_adds(unet, latent_size, steps - 1 - step)
                state = current_state(pipe)
                if state and state.plan and not filter_values:
                    filter_values = sum(map(_count, state.plan.filters.values()))
                    row_factor = (state.plan.rows + state.plan.lent) / state.plan.rows
    return Explanation(
        size=(height, width),
        fit=fit,
        layers=config.layers,
        convolutions=(len(listed), sum(one.filtered for one in listed)),
        steps=steps,
        dilations=dilations,
        step_cost=each[math.ceil(dilations[0])] / each[1],
        run_cost=sum(each[math.ceil(d)] for d in dilations) / (steps * each[1]),
        parameters=sum(p.numel() for p in unet.parameters()),
        filter_values=filter_values,
        row_factor=row_factor,
    )


def direct_step(unet_config: Mapping[str, Any], latent_size: tuple[int, int]) -> int:
    """Multiply-adds of one guided step of direct sampling at a latent size (height, width)."""
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(dict(unet_config)).eval()
    return _multiply_adds(unet, latent_size, 0)


def _multiply_adds(unet: Any, latent_size: tuple[int, int], timestep: int) -> int:
    """Of one guided call; only shapes are followed."""
    given: dict[str, Any] = {}
    width = unet.config.cross_attention_dim
    if unet.config.addition_embed_type == "text_time":
        times = unet.add_embedding.linear_1.in_features
        sort = unet.config.addition_time_embed_dim
        # Base models take six sizes, the refiner four and a score; the rest is the pooled prompt.
        count = 5 if unet.config.cross_attention_dim == 1280 else 6
        given["added_cond_kwargs"] = {
            "text_embeds": torch.empty(2, times - count * sort, device="meta"),
            "time_ids": torch.empty(2, count, device="meta"),
        }
    sample = torch.empty(2, unet.config.in_channels, *latent_size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        unet(sample, timestep, torch.empty(2, 77, width, device="meta"), **given)
    return counter.get_total_flops() // 2


def _count(low_pass: LowPass | None) -> int:
    return low_pass.rows.numel() + low_pass.columns.numel() if low_pass else 0


def sentences(told: Explanation) -> list[str]:
    """An explanation in words, one line a subject."""
    height, width = told.size
    base = told.fit.training_size
    padded = max(told.fit.padded_size[0], height), max(told.fit.padded_size[1], width)
    lines = [f"size: width {width}, height {height}"]
    if told.fit.dilation == 1:
        return [
            *lines,
            f"training size: width {base[1]}, height {base[0]}; the size lies within it, so nothing is done",
        ]
    share = 1 - height * width / (padded[0] * padded[1])
    count, filtered = told.convolutions
    extra = told.row_factor - 1
    return [
        *lines,
        f"training size: width {base[1]}, height {base[0]}",
        f"dilation: {told.fit.dilation} at most",
        f"padding: to width {padded[1]}, height {padded[0]} while filtering, {share:.0%} of it empty",
        f"layers: {count} convolutions, {filtered} of them filtered: {', '.join(told.layers)}",
        f"steps: the first {told.active} of {told.steps} active, the others as they were",
        f"cost: {told.step_cost:.2f} times the multiply-adds of direct sampling in the first step, "
        f"{told.run_cost:.2f} times over the run",
        f"memory: {extra:.0%} more rows in the UNet's feature maps, and {4 * told.filter_values / 1e6:.2f} MB of "
        f"filters in float32; the UNet's {told.parameters / 1e6:.1f} million weights stay as they are",
    ]
