"""Apply FouriScale to a loaded UNet and take it off again: the functions that are called by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

from diffusers import UNet2DConditionModel

from picturelab.pipeline import UNetPipeline

from ..config import FouriScaleConfig
from ..recognise import config_for
from .attachment import ATTRIBUTE, Attachment
from .pipelines import OwnLoop, Sampler, bare_unet, unet_of

Host = TypeVar("Host", bound="UNetPipeline | UNet2DConditionModel")


def apply_fouriscale(
    pipe: Host,
    config: FouriScaleConfig | None = None,
    *,
    scheduler: Any = None,
    vae_scale_factor: int = 8,
    guided: bool = True,
) -> Host:
    """Make a pipeline sample beyond its UNet's training size. Returns what it was given.

    A second call replaces the first. Sizes within the training size are left as they are, and so is
    every step from the config's `stop` on, but for its `late_attention`. Pipelines that share a UNet share
    its attachment: each run follows the pipeline that is running, and one removal ends it for all. Which one
    that is the call stack tells: the innermost pipeline with this UNet whose `__call__` has not returned. A
    pipeline that samples from another method gets scheduler and guidance of the pipeline that `apply_fouriscale`
    was last called with.

    Under `torch.compile`, applying and removing call `torch.compiler.reset()`, since compiled code does not look
    for new hooks: every compiled model of the process is compiled anew at its next call.

    Args:
        pipe: a diffusers pipeline with a UNet2DConditionModel, or such a UNet for a loop of your own.
        config: the settings; None takes the preset recognised from the UNet.
        scheduler: for a UNet: what the loop takes its `timesteps` from.
        vae_scale_factor: for a UNet: pixels a latent pixel.
        guided: for a UNet: whether the loop passes [unconditional, conditional] rows.

    Raises:
        ValueError: the pipeline has no such UNet, batches its rows in a way of its own, has fused
            attention projections or already patched convolutions; no preset fits; a layer pattern
            matches nothing; a UNet comes without a scheduler or with a `vae_scale_factor` below 1, or a pipeline
            comes with a scheduler.
        TypeError: `config` is no FouriScaleConfig.
    """
    unet = unet_of(pipe)
    if config is None:
        config = config_for(unet)
    elif not isinstance(config, FouriScaleConfig):
        raise TypeError(
            f"config={config!r}: must be a FouriScaleConfig, such as FouriScaleConfig.preset('sd15')"
        )
    _attach(_caller(pipe, unet, scheduler, vae_scale_factor, guided), unet, config)
    return pipe


def remove_fouriscale(pipe: Host) -> Host:
    """Take FouriScale off again, leaving the UNet as it was. Returns what it was given.

    Nothing to remove is fine. Takes a pipeline or a UNet.

    Raises:
        ValueError: the pipeline has no UNet.
    """
    attachment = current_state(pipe)
    if attachment:
        attachment.detach()
    return pipe


@contextlib.contextmanager
def fouriscale(pipe: Host, config: FouriScaleConfig | None = None, **settings: Any) -> Iterator[Host]:
    """FouriScale for the length of a `with` block; what was there before is there again after it.

    Takes and raises what `apply_fouriscale` does, and yields what it was given.
    """
    before = current_state(pipe)
    apply_fouriscale(pipe, config, **settings)
    try:
        yield pipe
    finally:
        remove_fouriscale(pipe)
        if before:
            _attach(before.pipe, before.unet, before.config)


def current_state(pipe: UNetPipeline | UNet2DConditionModel) -> Attachment | None:
    """What is attached to the pipeline's UNet, or None."""
    return getattr(unet_of(pipe), ATTRIBUTE, None)


def _caller(
    pipe: UNetPipeline | UNet2DConditionModel,
    unet: UNet2DConditionModel,
    scheduler: Any,
    vae_scale_factor: int,
    guided: bool,
) -> Sampler:
    if bare_unet(pipe) is not unet:
        if scheduler is not None:
            raise ValueError(
                f"scheduler={type(scheduler).__name__}: {type(pipe).__name__} has its own; give one for a UNet only"
            )
        return pipe
    if not hasattr(scheduler, "timesteps"):
        raise ValueError(
            f"scheduler={scheduler!r}: a UNet without pipeline needs the scheduler whose timesteps the loop takes, "
            "as in apply_fouriscale(unet, config, scheduler=scheduler, vae_scale_factor=8)"
        )
    if not isinstance(vae_scale_factor, int) or vae_scale_factor < 1:
        raise ValueError(f"vae_scale_factor={vae_scale_factor!r}: must be a whole number of at least 1")
    return OwnLoop(unet, scheduler, vae_scale_factor, bool(guided))


def _attach(pipe: Sampler, unet: UNet2DConditionModel, config: FouriScaleConfig) -> None:
    attachment = Attachment(pipe, unet, config)  # checks everything before anything is changed
    remove_fouriscale(unet)
    attachment.attach()
