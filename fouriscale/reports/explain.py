"""What FouriScale would do for a model and a size, and what it would cost, before any weight is loaded."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..config import FouriScaleConfig
from ..hooks.applied import wrap_multiple
from ..hooks.modules import levels_of, listed_convolutions
from ..hooks.patch import fouriscale
from ..maths import sizes
from ..maths.grid import DeepGrid, Levels
from ..maths.wrap import WRAPS, check_sides
from ..sampling.cascade import Cascade, first_size
from .memory import LiveBytes

_SIZED = "text_time"  # the addition_embed_type of UNets that are told sizes
_REFINER_WIDTH = 1280  # the cross_attention_dim of SDXL's refiner, which has OpenCLIP's text alone
_PROMPT_TOKENS = 77  # rows of CLIP's text encoders, padding included


@dataclass(frozen=True)
class GridPhase:
    """A part of a run on one deep grid.

    Attributes:
        stop: the first step after it.
        grid: on which the deep blocks run.
    """

    stop: int
    grid: DeepGrid


@dataclass(frozen=True)
class Explanation:
    """What would be done for one size. Sizes are (height, width) in pixels.

    Attributes:
        fit: the training size chosen, its dilation and the padded size.
        told: whether the UNet is told sizes, as SDXL's is; it is told the training size then.
        config: the settings.
        convolutions: how many convolutions are dilated, and how many of those are filtered.
        grids: the parts of the run on a deep grid, in their order.
        steps: of the run.
        dilations: of each step at this size, a cascade's last ones, before rounding up; 1.0 where the UNet is its
            plain self but for attention.
        direct_cost: multiply-adds of one direct step with guidance.
        step_cost: multiply-adds of the first step at this size over those of a direct step.
        run_cost: the same for the whole run, a cascade's first part included.
        parameters: of the UNet.
        peak_values: most numbers that the UNet's feature maps hold at once in the step that takes most, its filters
            included, and in a direct step; times 4 they are bytes in float32, times 2 in float16.
        cascade: how the run is to begin at the training size.
        first_size: of the picture that it begins with; None samples once.
    """

    size: tuple[int, int]
    fit: sizes.Fit
    told: bool
    config: FouriScaleConfig
    convolutions: tuple[int, int]
    grids: tuple[GridPhase, ...]
    steps: int
    dilations: tuple[float, ...]
    direct_cost: int
    step_cost: float
    run_cost: float
    parameters: int
    peak_values: tuple[int, int]
    cascade: Cascade | None = None
    first_size: sizes.Size | None = None

    @property
    def active(self) -> int:
        """How many steps at this size differ from the plain UNet; they come first."""
        return sum(d > 1 for d in self.dilations)


def explain(
    unet_config: Mapping[str, Any],
    height: int,
    width: int,
    *,
    steps: int,
    config: FouriScaleConfig,
    vae_scale_factor: int = 8,
    cascade: Cascade | None = None,
) -> Explanation:
    """What would be done at `height` x `width` pixels over `steps` steps with guidance.

    The UNet is built from its config without values, so nothing is computed and hardly any memory is
    taken. Costs are multiply-adds; how long they take depends on the machine.

    Raises:
        ValueError: the size is no multiple of 8, `steps` is below 1 or too few for the cascade, the cascade has no
            active step, the picture is to wrap and cannot, or a layer pattern matches nothing in the UNet.
    """
    sizes.check_size(height, width, sizes.SIZE_MULTIPLE)
    if steps < 1:
        raise ValueError(f"steps={steps}: must be at least 1")
    if cascade is not None:
        cascade.check_wrap(config.wrap)
        cascade.check_steps(steps)
        cascade.check_active(config, height, width, steps)
    small = first_size(config, height, width) if cascade else None
    run = range(steps - cascade.steps(steps, config.DENOISER) if cascade and small else 0, steps)
    fit, schedule = config.fit(height, width), config.schedule(height, width, steps)
    dilations = tuple(map(schedule.at, run))
    latent_size = _latent_size((height, width), vae_scale_factor)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(unet_config)).eval()
    check_sides((height, width), wrap_multiple(unet, vae_scale_factor), WRAPS[config.wrap])
    listed = listed_convolutions(unet, config)
    levels = levels_of(unet, config, listed)
    direct = call_costs(unet, latent_size, 0)
    # By what decides the cost: the dilation of the layers, a whole number, but for a trifle; or the deep grid.
    kinds = dilations if config.deep else tuple(float(math.ceil(d)) for d in dilations)
    timesteps = {kind: steps - 1 - step for step, kind in reversed(list(zip(run, kinds, strict=True)))}
    scheduler = SimpleNamespace(timesteps=torch.arange(steps - 1, -1, -1))
    first = call_costs(unet, _latent_size(small, vae_scale_factor), 0).multiply_adds if small else 0
    with fouriscale(unet, config, scheduler=scheduler, vae_scale_factor=vae_scale_factor):
        costs = {kind: call_costs(unet, latent_size, timestep) for kind, timestep in timesteps.items()}
    total = steps * first + sum(costs[kind].multiply_adds for kind in kinds)
    return Explanation(
        size=(height, width),
        fit=fit,
        told=unet.config.addition_embed_type == _SIZED,
        config=config,
        convolutions=(0, 0) if config.deep else (len(listed), sum(one.filtered for one in listed)),
        grids=_grids(config, run.start, dilations, latent_size, levels) if config.deep else (),
        steps=steps,
        dilations=dilations,
        direct_cost=direct.multiply_adds,
        step_cost=costs[kinds[0]].multiply_adds / direct.multiply_adds,
        run_cost=total / (steps * direct.multiply_adds),
        parameters=sum(p.numel() for p in unet.parameters()),
        peak_values=(max(cost.peak_values for cost in costs.values()), direct.peak_values),
        cascade=cascade,
        first_size=small,
    )


def _latent_size(size: sizes.Size, vae_scale_factor: int) -> sizes.Size:
    height, width = size
    return height // vae_scale_factor, width // vae_scale_factor


def _grids(
    config: FouriScaleConfig,
    start: int,
    dilations: tuple[float, ...],
    latent_size: sizes.Size,
    levels: Levels,
) -> tuple[GridPhase, ...]:
    """Of the steps from `start` on, which have these dilations."""
    phases, stop = [], start
    for factor, run in itertools.groupby(dilations):
        stop += len(list(run))
        if factor > 1:
            grid = levels.deep_grid(latent_size, factor, config.grid_resampling)
            phases.append(GridPhase(stop, grid))
    return tuple(phases)


@dataclass(frozen=True)
class CallCosts:
    """Of one guided call of a UNet.

    Attributes:
        multiply_adds: of its products of matrices and its convolutions.
        peak_values: most numbers that its feature maps hold at once, weights left out.
    """

    multiply_adds: int
    peak_values: int


def call_costs(unet: UNet2DConditionModel, latent_size: tuple[int, int], timestep: int) -> CallCosts:
    """Of one guided call of a UNet of shapes without values."""
    with FlopCounterMode(display=False) as counter, LiveBytes() as live, _WholeAttention() as attention:
        guided_call(unet, latent_size, timestep)
    return CallCosts(counter.get_total_flops() // 2 + attention.multiply_adds, live.peak // 4)


class _WholeAttention(TorchFunctionMode):
    """Counts attention itself: on the meta device it falls into its parts, logits and all, which kernels do not keep.

    Attributes:
        multiply_adds: of all attention so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.multiply_adds = 0

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            query, key, value = args[:3]
            width = query.shape[-1] + value.shape[-1]
            self.multiply_adds += math.prod(query.shape[:-1]) * key.shape[-2] * width
            return query.new_empty(*query.shape[:-1], value.shape[-1])
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def guided_call(unet: UNet2DConditionModel, latent_size: tuple[int, int], timestep: int) -> None:
    """One guided call of a UNet of shapes without values."""
    sample, text, extra = guided_inputs(unet, latent_size)
    unet(sample, timestep, text, **extra)


def guided_inputs(
    unet: UNet2DConditionModel, latent_size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """The sample, the text and further arguments of a guided call, of no particular values."""
    device = unet.device
    extra: dict[str, Any] = {}
    width = unet.config.cross_attention_dim
    if unet.config.addition_embed_type == _SIZED:
        times = unet.add_embedding.linear_1.in_features
        sort = unet.config.addition_time_embed_dim
        # Base models take six sizes, the refiner four and a score; the rest is the pooled prompt.
        count = 5 if width == _REFINER_WIDTH else 6
        extra["added_cond_kwargs"] = {
            "text_embeds": torch.empty(2, times - count * sort, device=device),
            "time_ids": torch.empty(2, count, device=device),
        }
    sample = torch.empty(2, unet.config.in_channels, *latent_size, device=device)
    return sample, torch.empty(2, _PROMPT_TOKENS, width, device=device), extra
