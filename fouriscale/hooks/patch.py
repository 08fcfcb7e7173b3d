"""Apply FouriScale to a loaded UNet and take it off again: the functions that are called by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

from diffusers import UNet2DConditionModel

from picturelab.pipeline import UNetPipeline

from ..config import FouriScaleConfig
from ..recognise import config_for
from .applied import ATTRIBUTE, Applied
from .attachment import Attachment
from .pipelines import OwnLoop, Sampler, bare_unet, unet_of

Host = TypeVar("Host", bound="UNetPipeline | UNet2DConditionModel")


def apply_fouriscale(
    pipe: Host,
    config: FouriScaleConfig | None = None,
    *,
    scheduler: Any = None,
    vae_scale_factor: int = 8,
    guided: bool = True,
    **settings: Any,
) -> Host:
    """Make a pipeline sample beyond its UNet's training size. Returns what it was given.

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

    Args:
        pipe: a diffusers pipeline with a UNet2DConditionModel, or such a UNet for a loop of your own.
        config: the settings; None takes the preset recognised from the UNet.
        settings: those of them that are to be others, such as `mode="fast", stop=0.7`; see `FouriScaleConfig`.
        scheduler: for a UNet: what the loop takes its `timesteps` from.
        vae_scale_factor: for a UNet: pixels a latent pixel.
        guided: for a UNet: whether the loop passes [unconditional, conditional] rows.

    Raises:
        ValueError: the pipeline has no such UNet, batches its rows in a way of its own, has fused
            attention projections or already patched convolutions; no preset fits; a layer pattern
            matches nothing; a UNet comes without a scheduler or with a `vae_scale_factor` below 1, or a pipeline
            comes with a scheduler; a setting is unknown or out of range.
        TypeError: `config` is no FouriScaleConfig, or a setting has the wrong type.
    """
    unet = unet_of(pipe)
    if config is None:
        config = config_for(unet)
    elif not isinstance(config, FouriScaleConfig):
        raise TypeError(
            f"config={config!r}: must be a FouriScaleConfig, such as FouriScaleConfig.preset('sd15')"
        )
    config = config.replace(**settings) if settings else config
    _put(Applied(_caller(pipe, unet, scheduler, vae_scale_factor, guided), unet, config))
    return pipe


def remove_fouriscale(pipe: Host) -> Host:
    """Take FouriScale off again, leaving the UNet as it was. Returns what it was given.

    Nothing to remove is fine. Of a pipeline, all settings go that it could follow: its own, those of pipelines
    with the same scheduler, and the UNet's. Of a UNet, all go.

    Raises:
        ValueError: the pipeline has no UNet.
    """
    for entry in _settings_of(pipe):
        _drop(entry)
    return pipe


@contextlib.contextmanager
def fouriscale(pipe: Host, config: FouriScaleConfig | None = None, **settings: Any) -> Iterator[Host]:
    """FouriScale for the length of a `with` block; what was there before is there again after it.

    Takes and raises what `apply_fouriscale` does, and yields what it was given.
    """
    before = [entry for entry in _settings_of(pipe) if _host(entry) is bare_unet(pipe)]
    apply_fouriscale(pipe, config, **settings)
    try:
        yield pipe
    finally:
        for entry in _settings_of(pipe):
            if _host(entry) is bare_unet(pipe):
                _drop(entry)
        for entry in before:
            _put(entry)


def current_state(pipe: UNetPipeline | UNet2DConditionModel) -> Applied | None:
    """The settings that the pipeline's runs follow, or the UNet's latest; None where there are none."""
    return next(iter(_settings_of(pipe)), None)


def _settings_of(pipe: UNetPipeline | UNet2DConditionModel) -> list[Applied]:
    """Those that a pipeline could follow, or all of a UNet's; the first is the one that counts."""
    unet = unet_of(pipe)
    attachment: Attachment | None = getattr(unet, ATTRIBUTE, None)
    if bare_unet(pipe) is unet:
        return attachment.entries[::-1] if attachment else []
    own: Applied | None = vars(pipe).get(ATTRIBUTE)  # perhaps on a UNet that the pipeline had before
    followed = attachment.followed(pipe) if attachment else []
    return followed if own is None or own in followed else [own, *followed]


def _host(entry: Applied) -> Any:
    """What `apply_fouriscale` was given."""
    return entry.unet if isinstance(entry.pipe, OwnLoop) else entry.pipe


def _put(entry: Applied) -> None:
    """Let settings hold, in place of those that the pipeline had, or for a UNet of all."""
    attachment: Attachment = getattr(entry.unet, ATTRIBUTE, None) or Attachment(entry.unet)
    host = _host(entry)
    earlier = _settings_of(host) if host is entry.unet else [vars(host).get(ATTRIBUTE)]
    attachment.put(entry)  # may refuse; then nothing has changed
    for other in earlier:
        if other is not None:
            _drop(other)
    if host is not entry.unet:
        entry.follow_the_unet(_move)
        vars(host)[ATTRIBUTE] = entry


def _drop(entry: Applied) -> None:
    attachment: Attachment | None = getattr(entry.unet, ATTRIBUTE, None)
    if attachment is not None:
        attachment.drop(entry)
    entry.close()
    host = _host(entry)
    if vars(host).get(ATTRIBUTE) is entry:
        del vars(host)[ATTRIBUTE]


def _move(entry: Applied) -> None:
    """The pipeline has been given another UNet: its settings go along."""
    _put(Applied(entry.pipe, unet_of(entry.pipe), entry.config))


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
