"""Attach FouriScale to a loaded UNet and take it off again. The only place that touches others' modules.

Four attachments, made and undone together: a pre-hook on the UNet appends the guidance branch's rows, a
hook on it drops them again, listed convolutions get a dilated `_conv_forward`, and hooks on the
self-attentions' query and key projections lend those of the conditional rows. torch's own hooks and
`_conv_forward` survive model offload, which re-installs accelerate's hooks after every image.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .config import FouriScaleConfig, recognise_preset
from .convolve import dilated
from .lowpass import LowPass, Window
from .targets import (
    CONV_FORWARD,
    listed_convolutions,
    refuse_fused,
    refuse_other_batches,
    self_attentions,
    unet_of,
)

_ATTRIBUTE = "_fouriscale"  # where the UNet keeps its attachment


def apply_fouriscale(pipe: Any, config: FouriScaleConfig | None = None) -> Any:
    """Make a pipeline sample beyond its UNet's training size. Returns the pipeline.

    A second call replaces the first. Sizes within the training size are left as they are, and so is
    every step from the config's `stop` on.

    Args:
        pipe: a diffusers pipeline with a UNet2DConditionModel.
        config: the settings; None takes the preset recognised from the UNet.

    Raises:
        ValueError: the pipeline has no such UNet, batches its rows in a way of its own, has fused
            attention projections or already patched convolutions; no preset fits; a layer pattern
            matches nothing.
        TypeError: `config` is no FouriScaleConfig.
    """
    unet = unet_of(pipe)
    if config is None:
        config = FouriScaleConfig.preset(recognise_preset(unet))
    elif not isinstance(config, FouriScaleConfig):
        raise TypeError(
            f"config={config!r}: must be a FouriScaleConfig, such as FouriScaleConfig.preset('sd15')"
        )
    attachment = Attachment(pipe, unet, config)  # checks everything before anything is changed
    remove_fouriscale(pipe)
    attachment.attach()
    return pipe


def remove_fouriscale(pipe: Any) -> Any:
    """Take FouriScale off again, leaving the UNet as it was. Returns the pipeline; nothing to remove is fine.

    Raises:
        ValueError: the pipeline has no UNet.
    """
    attachment = current_state(pipe)
    if attachment:
        attachment.detach()
    return pipe


@contextlib.contextmanager
def fouriscale(pipe: Any, config: FouriScaleConfig | None = None) -> Iterator[Any]:
    """FouriScale for the length of a `with` block; what was there before is there again after it.

    Takes and raises what `apply_fouriscale` does, and yields the pipeline.
    """
    before = current_state(pipe)
    apply_fouriscale(pipe, config)
    try:
        yield pipe
    finally:
        remove_fouriscale(pipe)
        if before:
            apply_fouriscale(before.pipe, before.config)


def current_state(pipe: Any) -> Attachment | None:
    """What is attached to the pipeline's UNet, or None."""
    return getattr(unet_of(pipe), _ATTRIBUTE, None)


@dataclass(frozen=True)
class _Plan:
    """What one call of the UNet does."""

    dilation: float  # d_i, before rounding up
    strong_dilation: int  # of the rows that the pipeline passes
    weak_dilation: int  # of the guidance branch's rows
    latent_size: tuple[int, int]  # of the sample
    training_size: tuple[int, int]  # in latent pixels
    factor: int  # how many times the training size is taken on each axis
    guided: bool  # whether the rows are [unconditional, conditional] or conditional only
    rows: int  # of the sample as the pipeline passes it
    lent: int  # conditional rows appended for the guidance branch
    guidance_factor: float  # on the difference between conditional and unconditional

    def padded(self, size: tuple[int, int]) -> tuple[int, int]:
        """What a map of `size` is padded to: `factor` times its counterpart at the training size."""
        level = max(
            round(math.log2(whole / part)) for whole, part in zip(self.latent_size, size, strict=True)
        )
        height, width = (math.ceil(side / 2**level) * self.factor for side in self.training_size)
        return max(height, size[0]), max(width, size[1])


class Attachment:
    """FouriScale on one UNet.

    Attributes:
        pipe, unet, config: what it was made for.
        plan: what the UNet call in flight does; None leaves the UNet as it is.
    """

    def __init__(self, pipe: Any, unet: UNet2DConditionModel, config: FouriScaleConfig):
        self.pipe, self.unet, self.config = pipe, unet, config
        self.plan: _Plan | None = None
        self._undo = ExitStack()
        self._filters: dict[tuple, LowPass | None] = {}
        self._filters_for: tuple = ()
        self._convolutions = listed_convolutions(unet, config, _SpreadConvolution)
        self._attentions = self_attentions(unet)
        refuse_other_batches(pipe)
        refuse_fused(self._attentions)

    @property
    def dilation(self) -> float:
        """The dilation of the UNet's latest call; 1.0 where it was left as it is."""
        return self.plan.dilation if self.plan else 1.0

    def attach(self) -> None:
        with ExitStack() as undo:  # undoes a half-made attachment if anything below raises
            setattr(self.unet, _ATTRIBUTE, self)
            undo.callback(delattr, self.unet, _ATTRIBUTE)
            for conv, filtered in self._convolutions:
                setattr(conv, CONV_FORWARD, _SpreadConvolution(self, conv, filtered))
                undo.callback(delattr, conv, CONV_FORWARD)
            for attention in self._attentions:
                for projection in (attention.to_q, attention.to_k):
                    undo.callback(projection.register_forward_hook(self._lend).remove)
            undo.callback(self.unet.register_forward_pre_hook(self._before_unet, with_kwargs=True).remove)
            undo.callback(self.unet.register_forward_hook(self._after_unet).remove)
            self._undo = undo.pop_all()

    def detach(self) -> None:
        self._undo.close()

    def _before_unet(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict] | None:
        self.plan = None
        sample = args[0] if args else kwargs["sample"]
        timestep = args[1] if len(args) > 1 else kwargs["timestep"]
        self.plan = self._planned(sample, timestep)
        if not (self.plan and self.plan.lent):
            return None
        return _with_lent_rows((args, kwargs), self.plan.rows, self.plan.lent)

    def _planned(self, sample: torch.Tensor, timestep: torch.Tensor | float) -> _Plan | None:
        latent_size = (sample.shape[-2], sample.shape[-1])
        scale = self.pipe.vae_scale_factor
        height, width = (side * scale for side in latent_size)
        chosen = self.config.fit(height, width)
        if chosen.dilation == 1:
            return None
        timesteps = self.pipe.scheduler.timesteps
        schedule = self.config.schedule(height, width, len(timesteps))
        # Not every scheduler counts its steps, and image-to-image starts in their midst: look the step up.
        now = timestep.flatten()[0] if isinstance(timestep, torch.Tensor) else timestep
        step = int((timesteps - now).abs().argmin())
        if not schedule.active(step):
            return None
        refuse_fused(self._attentions)
        self._keep_filters_for((schedule, latent_size, sample.device, sample.dtype))
        rows, guided = len(sample), bool(self.pipe.do_classifier_free_guidance)
        if guided and rows % 2:
            raise ValueError(
                f"the UNet was called with {rows} rows: with guidance FouriScale needs pairs of them"
            )
        dilation = schedule.at(step)
        return _Plan(
            dilation=dilation,
            strong_dilation=math.ceil(dilation),
            weak_dilation=math.ceil(max(dilation / self.config.weak_dilation_divisor, 1)),
            latent_size=latent_size,
            training_size=(
                math.ceil(chosen.training_size[0] / scale),
                math.ceil(chosen.training_size[1] / scale),
            ),
            factor=chosen.dilation,
            guided=guided,
            rows=rows,
            lent=(rows // 2 if guided else rows) if self.config.third_branch else 0,
            guidance_factor=self.config.early_guidance if step < schedule.start else 1.0,
        )

    def _after_unet(self, _: nn.Module, __: tuple, output: Any) -> Any:
        """Turn [unconditional, conditional, lent] into [unconditional, lent]."""
        plan = self.plan
        if plan is None:
            return None
        sample = output[0]
        conditional = sample[plan.rows :] if plan.lent else sample[plan.rows // 2 :]
        if plan.guided:
            unconditional = sample[: plan.rows // 2]
            if plan.guidance_factor != 1:
                conditional = unconditional + plan.guidance_factor * (conditional - unconditional)
            sample = torch.cat([unconditional, conditional])
        elif plan.lent:
            sample = conditional
        return (sample, *output[1:]) if isinstance(output, tuple) else type(output)(sample=sample)

    def _lend(self, _: nn.Module, __: tuple, projected: torch.Tensor) -> torch.Tensor | None:
        """Query and key of the guidance branch are those of the conditional rows before it."""
        if not (self.plan and self.plan.lent):
            return None
        rows, lent = self.plan.rows, self.plan.lent
        return torch.cat([projected[:rows], projected[rows - lent : rows]])

    def low_pass(self, plan: _Plan, x: torch.Tensor, stride: int, weak: bool) -> LowPass | None:
        """The filter for maps x (B, C, height, width) before a convolution of this stride."""
        size = (x.shape[-2], x.shape[-1])
        key = (size, stride, weak, plan.dilation, x.device, x.dtype)
        if key not in self._filters:
            window = Window(max(plan.dilation / stride, 1.0), self.config.floor, weak)
            self._filters[key] = LowPass.build(size, plan.padded(size), window, x.device, x.dtype)
        return self._filters[key]

    def _keep_filters_for(self, run: tuple) -> None:
        """Filters are kept from image to image, and let go when the size or schedule changes."""
        if run != self._filters_for:
            self._filters.clear()
            self._filters_for = run


@dataclass(frozen=True)
class _SpreadConvolution:
    """Stands in for a convolution's `_conv_forward`, which gets the weight after every offload and cast."""

    attachment: Attachment
    conv: nn.Conv2d
    filtered: bool

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        plan = self.attachment.plan
        if plan is None:
            return type(self.conv)._conv_forward(self.conv, x, weight, bias)
        strong = self._low_pass(plan, x, weak=False)
        if not plan.lent:
            return dilated(self.conv, strong(x) if strong else x, weight, bias, plan.strong_dilation)
        weak = self._low_pass(plan, x, weak=True)
        together = plan.strong_dilation == plan.weak_dilation
        if together and not (strong or weak):
            return dilated(self.conv, x, weight, bias, plan.strong_dilation)
        rows, lent = x[: plan.rows], x[plan.rows :]
        rows, lent = strong(rows) if strong else rows, weak(lent) if weak else lent
        if together:
            return dilated(self.conv, torch.cat([rows, lent]), weight, bias, plan.strong_dilation)
        rows = dilated(self.conv, rows, weight, bias, plan.strong_dilation)
        return torch.cat([rows, dilated(self.conv, lent, weight, bias, plan.weak_dilation)])

    def _low_pass(self, plan: _Plan, x: torch.Tensor, weak: bool) -> LowPass | None:
        return self.attachment.low_pass(plan, x, self.conv.stride[0], weak) if self.filtered else None


def _with_lent_rows(value: Any, rows: int, lent: int) -> Any:
    """Append the last `lent` rows once more to every tensor batched like the sample, however nested."""
    if isinstance(value, torch.Tensor):
        return torch.cat([value, value[-lent:]]) if value.ndim and len(value) == rows else value
    if isinstance(value, (list, tuple)):
        return type(value)(_with_lent_rows(item, rows, lent) for item in value)
    if isinstance(value, dict):
        # IP-Adapter's masks hold one entry an adapter in their first dimension, not one a row.
        return {k: v if k == "ip_adapter_masks" else _with_lent_rows(v, rows, lent) for k, v in value.items()}
    return value
