"""The settings of one pipeline: what `apply_fouriscale` and `apply_wrap` were called with."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NoReturn

import torch
from diffusers import UNet2DConditionModel

from ..config import FouriScaleConfig
from ..maths.filters import FilterCache, Filters
from ..maths.plan import Plan, Sparsity
from ..maths.wrap import NOWHERE, WRAPS, Axes, check_sides, either
from . import modules, wrapping
from .call import COPYING, Call, plain_values, values_of
from .convolution import refuse_patched
from .pipelines import OwnLoop, Sampler, refuse_early_guidance, refuse_other_batches, rows_of, unet_of
from .place import find_place, plan_for, sparsity_for
from .steps import Steps

ATTRIBUTE = "_fouriscale"  # where a pipeline keeps its settings, and a UNet its attachment
# What every run of a pipeline begins with, one or the other.
_BEGINNINGS = ("check_inputs", "progress_bar")


class _Latest(threading.local):
    """The latest call in each thread, for whoever asks between the calls; layers never do."""

    call: Call | None = None


class Applied:
    """Settings for one pipeline, or for whoever calls a UNet.

    Attributes:
        pipe, unet, config: what they were made for; without a config the UNet is its plain self, but for wrapping.
        own_wrap: the axes that `apply_wrap` was given.
        wrap: the axes on which pictures wrap, those of the config included.
    """

    def __init__(
        self,
        pipe: Sampler,
        unet: UNet2DConditionModel,
        config: FouriScaleConfig | None,
        own_wrap: Axes = NOWHERE,
    ):
        self.pipe, self.unet, self.config, self.own_wrap = pipe, unet, config, own_wrap
        self.wrap = either(own_wrap, WRAPS[config.wrap] if config else NOWHERE)
        self._latest, self._steps, self._undo = _Latest(), Steps(), ExitStack()
        self._parts = []
        if config is not None:
            refuse_other_batches(pipe)
            refuse_early_guidance(pipe, config.early_guidance)
        if any(self.wrap) and not isinstance(pipe, OwnLoop):
            self._parts = wrapping.parts_of(pipe)
        self.find_layers()

    def __reduce_ex__(self, _: Any) -> NoReturn:
        raise TypeError(f"FouriScale is applied to this UNet: {COPYING}")

    @property
    def denoiser(self) -> UNet2DConditionModel:
        return self.unet

    @property
    def plan(self) -> Plan | None:
        """What the latest call in this thread did; None left the UNet as it was."""
        return self._latest.call.plan if self._latest.call else None

    @property
    def sparsity(self) -> Sparsity | None:
        """Which tokens saw which in the latest call in this thread; None: all saw all."""
        return self._latest.call.sparsity if self._latest.call else None

    @property
    def dilation(self) -> float:
        """The dilation of the latest call in this thread; 1.0 where the UNet was left as it was."""
        return self.plan.dilation if self.plan else 1.0

    def find_layers(self) -> None:
        """Look for the layers that the config means, or that wrap; LoRAs replace some."""
        self.wrapped = modules.spatial_convolutions(self.unet) if any(self.wrap) else {}
        refuse_patched(self.wrapped)
        self.convolutions: dict[str, modules.ListedConvolution] = {}
        self.sparse: list[str] = []
        self._filtered: dict[str, bool] = {}
        self._places: set[tuple[int, int]] = set()
        if self.config is not None:
            self._find_listed(self.config)

    def _find_listed(self, config: FouriScaleConfig) -> None:
        listed = modules.listed_convolutions(self.unet, config)
        self.levels = modules.levels_of(self.unet, config, listed)
        if config.deep:  # blocks are changed, and no convolution by itself
            listed = []
        self.convolutions = {one.name: one for one in listed}
        kinds = {config.chosen(name) for name in ("attention", "late_attention")}
        self.sparse = sorted(kinds - {"full"})
        self._filtered = {one.name: one.filtered for one in listed}
        self._places = {
            (level, one.conv.stride[0])
            for one in listed
            if one.filtered
            for level in (self.levels.all if one.level is None else (one.level,))
        }

    def call(
        self,
        pipe: Sampler,
        sample: torch.Tensor,
        timestep: torch.Tensor | float,
        filters: FilterCache,
        directly: bool = True,
    ) -> Call:
        """What the UNet does in a call that begins.

        Args:
            pipe: whose call it is; perhaps another pipeline than these settings were given for.
            sample, timestep: the call's.
            filters: those of the UNet.
            directly: whether it is the pipeline itself that calls the UNet.

        Raises:
            ValueError: what the rows are, or which step it is, cannot be known; or the call cannot be served.
        """
        self._latest.call = None
        config, plain = self.config, self.plain_call(pipe, sample)
        place = find_place(pipe, config, sample, timestep, self._steps) if config else None
        if place is None or config is None:
            return plain
        sparsity, plan = sparsity_for(place, config), None
        matrices: Filters = {}
        grid, split = None, False
        lent: dict[int, torch.Tensor] = {}
        if place.active:
            refuse_early_guidance(pipe, config.early_guidance)
            plan = plan_for(place, config, rows_of(pipe, sample, directly), self.levels, self.wrap)
            if self._places:
                run = (
                    plan.latent_size,
                    plan.training_size,
                    plan.factor,
                    plan.floor,
                    plan.wrap,
                    sample.device,
                    sample.dtype,
                )
                matrices = filters.filters(plan, run, self._places, sample.device, sample.dtype)
            if plan.grid is not None:
                grid = filters.grid(plan.grid, sample.device, sample.dtype)
            split = plan.guided and config.split_rows
            if plan.guidance_rows:
                parts = {plan.rows, plan.rows // 2 if split else plan.rows}
                lent = {rows: filters.lent(rows, plan.guidance_rows, sample.device) for rows in parts}
        levels = self.levels.above if grid else self.levels.all
        keys: dict[int, torch.Tensor] = {}
        if sparsity is not None and not sparsity.factor:
            keys = filters.keys(sparsity, levels, sample.device)
        call = self._latest.call = Call(
            plan=plan,
            sparsity=sparsity,
            values=values_of(plan, sparsity, self._filtered, matrices, levels, grid, keys, lent, self.wrap),
            split=split,
        )
        return call

    def plain_call(self, pipe: Sampler, sample: torch.Tensor) -> Call:
        """A call that leaves the UNet as it is, but for wrapping.

        Args:
            pipe: whose call it is.
            sample: the call's, (B, C, height, width).

        Raises:
            ValueError: a wrapped side does not divide, or a model of the pipeline does not wrap.
        """
        if any(self.wrap):
            height, width = (side * pipe.vae_scale_factor for side in sample.shape[-2:])
            check_sides((height, width), wrap_multiple(self.unet, pipe.vae_scale_factor), self.wrap)
            if not isinstance(pipe, OwnLoop):
                wrapping.refuse_unwrapped(pipe, self.wrap)
        return Call(values=plain_values(self.wrap))

    def wrap_parts(self) -> None:
        """Let the pipeline's other models wrap, until `close`."""
        for part in self._parts:
            self._undo.callback(wrapping.put(part, self))

    def follow_the_unet(self, moved: Callable[[Applied], None]) -> None:
        """Look at every run's beginning whether the pipeline has been given another UNet.

        Args:
            moved: called with these settings then.
        """
        if isinstance(self.pipe, OwnLoop):
            return
        name = next((name for name in _BEGINNINGS if hasattr(self.pipe, name)), None)
        own = getattr(self.pipe, name, None) if name else None
        if name is None or own is None:  # a modular pipeline
            return

        @functools.wraps(own)
        def beginning(*args: Any, **kwargs: Any) -> Any:
            if unet_of(self.pipe) is not self.unet:
                moved(self)
            return own(*args, **kwargs)

        before = vars(self.pipe).get(name)
        setattr(self.pipe, name, beginning)
        self._undo.callback(_put_back, self.pipe, name, beginning, before)

    def close(self) -> None:
        """Leave the pipeline as it was."""
        self._undo.close()


def wrap_multiple(unet: UNet2DConditionModel, vae_scale_factor: int) -> int:
    """Of what a wrapped side has to be a multiple, in pixels: what the UNet's strides make one pixel of."""
    return int(vae_scale_factor * 2 ** (len(unet.down_blocks) - 1))


def _put_back(pipe: Any, name: str, stand_in: Callable, before: Any) -> None:
    """Take a stand-in off a pipeline, unless somebody has put another in its place."""
    if vars(pipe).get(name) is not stand_in:
        return
    if before is None:
        delattr(pipe, name)
    else:
        setattr(pipe, name, before)
