"""Apply FouriScale to a loaded UNet or transformer and take it off again: the functions that are called by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

from diffusers import UNet2DConditionModel
from torch import nn

from picturelab.pipeline import UNetPipeline

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..position_config import PositionConfig
from ..recognise import config_for
from .applied import Applied
from .pipelines import OwnLoop, Sampler, bare_unet, denoiser_of
from .registry import drop, kept, own_wrap, put, put_anew, settings_of
from .rotary import AppliedPositions

Host = TypeVar("Host", bound="UNetPipeline | UNet2DConditionModel")


def apply_fouriscale(
    pipe: Host,
    config: Config | None = None,
    *,
    scheduler: Any = None,
    vae_scale_factor: int = 8,
    guided: bool = True,
    **settings: Any,
) -> Host:
    """Make a pipeline sample beyond its UNet's or transformer's training size. Returns what it was given.

    A second call replaces the first. Sizes within the training size are left as they are, and so is
    every step from the config's `stop` on, or from the end of its deep grid, but for its `late_attention`.

    Settings belong to the pipeline, and each call of the UNet follows the pipeline that is running: the innermost
    one in the call stack with this UNet whose `__call__` has not returned. So pipelines with a UNet in common may
    have settings each, or none, and take turns. One that has none of its own follows those of a pipeline with
    the same scheduler, as `from_pipe` makes them, and else those given for the UNet itself. Beyond the training
    size, a call that belongs to no running pipeline is refused, unless there are settings for the UNet itself: its
    rows and its step are unknown, as in a training step between two pictures. A pipeline that is given another
    UNet takes its settings along when it next runs.

    Under `torch.compile`, applying and removing have the UNet compiled anew at its next call, since compiled code does
    not look for new hooks. So is what else was compiled of the same classes, such as another UNet; all else that is
    compiled stays, a compiled function of your own that calls the UNet too: compile it again yourself.

    A transformer with rotary positions has those changed, and the schedule's shift capped, at every step.

    Args:
        pipe: a diffusers pipeline with a UNet2DConditionModel or one of the transformers that FouriScale knows, or
            such a UNet for a loop of your own.
        config: the settings, a PositionConfig for a transformer; None takes the preset recognised from the model.
        settings: those of them that are to be others, such as `mode="fast", stop=0.7`; see `FouriScaleConfig` and
            `PositionConfig`.
        scheduler: for a UNet: what the loop takes its `timesteps` from.
        vae_scale_factor: for a UNet: pixels a latent pixel.
        guided: for a UNet: whether the loop passes [unconditional, conditional] rows.

    Raises:
        ValueError: the pipeline has no such denoiser, batches its rows in a way of its own, has fused
            attention projections or already patched convolutions; no preset fits; a layer pattern
            matches nothing; a UNet comes without a scheduler or with a `vae_scale_factor` below 1, or a pipeline
            comes with a scheduler; a setting is unknown or out of range.
        TypeError: `config` is no FouriScaleConfig, or for a transformer no PositionConfig; or a setting has the wrong
            type.
    """
    denoiser = denoiser_of(pipe)
    if config is None:
        config = config_for(denoiser)
    if not isinstance(denoiser, UNet2DConditionModel):
        put(_positions(pipe, denoiser, config, settings))
        return pipe
    if not isinstance(config, FouriScaleConfig):
        raise TypeError(
            f"config={config!r}: must be a FouriScaleConfig, such as FouriScaleConfig.preset('sd15')"
        )
    config = config.replace(**settings) if settings else config
    caller = _caller(pipe, denoiser, scheduler, vae_scale_factor, guided)
    put(Applied(caller, denoiser, config, own_wrap(pipe)))
    return pipe


def remove_fouriscale(pipe: Host) -> Host:
    """Take FouriScale off again, leaving the UNet as it was. Returns what it was given.

    Nothing to remove is fine. Of a pipeline, all settings go that it could follow: its own, those of pipelines
    with the same scheduler, and the UNet's. Of a UNet, all go. What `apply_wrap` was called for stays.

    Raises:
        ValueError: the pipeline has no UNet.
    """
    for entry in settings_of(pipe):
        if any(entry.own_wrap):
            put_anew(entry, None, entry.own_wrap)
        else:
            drop(entry)
    return pipe


@contextlib.contextmanager
def fouriscale(pipe: Host, config: Config | None = None, **settings: Any) -> Iterator[Host]:
    """FouriScale for the length of a `with` block; what was there before is there again after it.

    Takes and raises what `apply_fouriscale` does, and yields what it was given.
    """
    with kept(pipe):
        apply_fouriscale(pipe, config, **settings)
        yield pipe


def current_state(pipe: Any) -> Any:
    """FouriScale's settings that the pipeline's runs follow, or the denoiser's latest; None where there are none."""
    return next((entry for entry in settings_of(pipe)[:1] if entry.config), None)


def _positions(pipe: Any, transformer: nn.Module, config: Any, settings: dict[str, Any]) -> AppliedPositions:
    if bare_unet(pipe) is transformer:
        raise ValueError(
            f"{type(transformer).__name__} without a pipeline: how many pixels a token has is the pipeline's to say"
        )
    if not isinstance(config, PositionConfig):
        raise TypeError(
            f"config={config!r}: must be a PositionConfig for a {type(transformer).__name__}, such as "
            "PositionConfig.preset('flux')"
        )
    config = config.replace(**settings) if settings else config
    return AppliedPositions(pipe, transformer, config, own_wrap(pipe))


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
