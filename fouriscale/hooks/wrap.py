"""Have a pipeline's pictures wrap, and no more: the functions that are called by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

from diffusers import ControlNetModel, T2IAdapter, UNet2DConditionModel
from torch import nn

from picturelab.bounds import shown
from picturelab.pipeline import UNetPipeline

from ..maths.wrap import NOWHERE, WRAPS, Axes, name_of
from . import wrapping
from .applied import Applied
from .pipelines import OwnLoop, bare_unet, denoiser_of
from .registry import drop, kept, put, put_anew, settings_of
from .rotary import AppliedPositions

_PARTS = (*wrapping.AUTOENCODERS, ControlNetModel, T2IAdapter)

Host = TypeVar("Host", bound="UNetPipeline | nn.Module")


def apply_wrap(pipe: Host, wrap: str, *, vae_scale_factor: int = 8) -> Host:
    """Have a pipeline's pictures wrap: tiles and panoramas. Returns what it was given.

    On a wrapped axis the picture's opposite edges are neighbours for every convolution of the UNet, the autoencoder,
    ControlNets and T2I-Adapters, at every size and every step. A transformer's tokens are turned by whole turns around
    the picture, so that the one behind the last is the first; its text keeps its place. Within the training size that
    is all there is to do; beyond it `FouriScaleConfig` and `PositionConfig` have the same as a setting. A second call
    replaces the first; FouriScale's settings stay, before and after, and pictures wrap where either says so. Settings
    belong to the pipeline, as with `apply_fouriscale`. A picture to start from, a mask or a control picture must itself
    wrap.

    Args:
        pipe: a diffusers pipeline with a UNet2DConditionModel or a transformer that turns its tokens, or for a loop of
            your own such a UNet, an AutoencoderKL, a ControlNetModel or a T2IAdapter by itself.
        wrap: "width", "height" or "both"; "none" is `remove_wrap`.
        vae_scale_factor: for a UNet: pixels a latent pixel.

    Raises:
        ValueError: `wrap` is none of these, the pipeline has no such UNet or transformer, its autoencoder is of
            another kind, a convolution is already patched, or a transformer adds its positions from a table or has a
            ControlNet. Later, when it samples: a wrapped side is no multiple of what the UNet's strides divide, or
            there are reference pictures beside a transformer's own.
    """
    axes = axes_of(wrap)
    if axes == NOWHERE:
        return remove_wrap(pipe)
    if isinstance(pipe, _PARTS):
        wrapping.put_by_itself(pipe, axes)
        return pipe
    denoiser = denoiser_of(pipe)
    caller: Any = pipe
    settings = settings_of(pipe)
    if not isinstance(denoiser, UNet2DConditionModel):
        if bare_unet(pipe) is denoiser:
            raise ValueError(
                f"wrap={shown(wrap)}: {type(denoiser).__name__} without a pipeline: give the pipeline, whose "
                "autoencoder wraps with it"
            )
        put(AppliedPositions(pipe, denoiser, settings[0].config if settings else None, axes))
        return pipe
    unet = denoiser
    if bare_unet(pipe) is unet:
        settings = [entry for entry in settings if isinstance(entry.pipe, OwnLoop)]
        caller = settings[0].pipe if settings else OwnLoop(unet, None, vae_scale_factor, guided=False)
    put(Applied(caller, unet, settings[0].config if settings else None, axes))
    return pipe


def remove_wrap(pipe: Host) -> Host:
    """Take back what `apply_wrap` did, leaving FouriScale's settings. Returns what it was given.

    Nothing to take back is fine. Of a pipeline, all that it could follow goes, as with `remove_fouriscale`.

    Raises:
        ValueError: the pipeline has no UNet.
    """
    if isinstance(pipe, _PARTS):
        wrapping.drop_by_itself(pipe)
        return pipe
    for entry in settings_of(pipe):
        if not any(entry.own_wrap):
            continue
        if entry.config is None:
            drop(entry)
        else:
            put_anew(entry, entry.config)
    return pipe


@contextlib.contextmanager
def wrap(pipe: Host, wrap: str, *, vae_scale_factor: int = 8) -> Iterator[Host]:
    """Wrapping for the length of a `with` block; what was there before is there again after it.

    Takes and raises what `apply_wrap` does, and yields what it was given.
    """
    with wrapping.kept(pipe) if isinstance(pipe, _PARTS) else kept(pipe):
        apply_wrap(pipe, wrap, vae_scale_factor=vae_scale_factor)
        yield pipe


def current_wrap(pipe: Any) -> str:
    """On which axes the pipeline's pictures wrap, by FouriScale's settings or `apply_wrap`; a key of `WRAPS`."""
    return name_of(next((entry.wrap for entry in settings_of(pipe)), NOWHERE))


def axes_of(wrap: str) -> Axes:
    """The axes that a name stands for.

    Raises:
        ValueError: it is none of `WRAPS`.
    """
    if not isinstance(wrap, str) or wrap not in WRAPS:
        raise ValueError(f"wrap={shown(wrap)}: must be one of {', '.join(WRAPS)}")
    return WRAPS[wrap]
