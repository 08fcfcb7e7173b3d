"""What wraps besides the UNet or transformer: a pipeline's autoencoder, its ControlNets and T2I-Adapters.

Their convolutions get a `_conv_forward` as the UNet's do. A hook where the model begins asks which pipeline is running
and whether its settings wrap, so that pipelines may share a model and differ. An autoencoder that works in tiles gets
a picture that goes on for one overlap beyond its end, and what was made of that is blended into the beginning, as
diffusers blends one tile into the next.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from torch import nn

from picturelab.hooks.checkpointing import CheckpointFollower

from ..maths.wrap import NOWHERE, Axes, check_sides
from . import compiled, convolution, modules
from .call import COPYING, Call, Running, plain_values
from .pipelines import bare_unet, running_pipeline

ATTRIBUTE = "_fouriscale"  # where a model keeps what is attached to it
AUTOENCODERS = (AutoencoderKL, AutoencoderKLFlux2)
_DENOISERS = ("unet", "transformer")  # where pipelines keep what their settings are attached to
_NETS = ("controlnet", "adapter")  # where pipelines keep what looks at a control picture
# How an autoencoder works in tiles: {method: whether it decodes}. Which of the first two depends on diffusers' version.
_TILED = {"_tiled_encode": False, "tiled_encode": False, "tiled_decode": True}


class Wrapping(Protocol):
    """Settings of a pipeline, of which only this is of interest here."""

    @property
    def wrap(self) -> Axes: ...


@dataclass(frozen=True, eq=False)
class OwnPart:
    """Stands in for a pipeline's settings where a model is wrapped by itself."""

    wrap: Axes


def parts_of(pipe: Any) -> list[nn.Module]:
    """The models of a pipeline that have to wrap with its UNet or transformer.

    Raises:
        ValueError: its autoencoder is of a kind that is not known to wrap, or a convolution is patched by anything
            else.
    """
    parts = _models(pipe)
    for part in parts:
        convolution.refuse_patched(modules.spatial_convolutions(part))
    return parts


def _models(pipe: Any) -> list[nn.Module]:
    parts = []
    vae = getattr(pipe, "vae", None)
    if vae is not None:
        if not isinstance(bare_unet(vae), AUTOENCODERS):
            raise ValueError(
                f"{type(pipe).__name__}'s autoencoder is a {type(vae).__name__}: pictures wrap with an AutoencoderKL "
                "or FLUX.2's only"
            )
        parts.append(bare_unet(vae))
    return parts + [net for name in _NETS for net in _nets(getattr(pipe, name, None))]


def _nets(value: Any) -> list[nn.Module]:
    """One, or those that diffusers holds together."""
    if isinstance(value, (list, tuple)):
        return [net for one in value for net in _nets(one)]
    if not isinstance(value, nn.Module):
        return []
    inner = next((vars(value)["_modules"][n] for n in ("nets", "adapters") if n in value._modules), None)
    return [bare_unet(value)] if inner is None else [bare_unet(net) for net in inner]


def refuse_unwrapped(pipe: Any, wrap: Axes) -> None:
    """ValueError if a model of a running pipeline has come to it since its settings were given."""
    if not any(wrap):
        return
    for part in _models(pipe):
        if getattr(part, ATTRIBUTE, None) is None:
            raise ValueError(
                f"this {type(pipe).__name__} has a {type(part).__name__} that does not wrap with its denoiser: call "
                "apply_wrap or apply_fouriscale on this pipeline"
            )


def put(part: nn.Module, entry: Wrapping) -> Callable[[], None]:
    """Let a model wrap where these settings say so. Returns what takes that back."""
    attached: WrappedPart = getattr(part, ATTRIBUTE, None) or WrappedPart(part)
    attached.put(entry)
    return functools.partial(attached.drop, entry)


def put_by_itself(part: nn.Module, axes: Axes) -> None:
    """Let a model wrap whoever calls it, in place of what it did by itself before."""
    before = _by_itself(part)
    put(part, OwnPart(axes))
    _drop(part, before)


def drop_by_itself(part: nn.Module) -> None:
    """Take that back."""
    _drop(part, _by_itself(part))


@contextlib.contextmanager
def kept(part: nn.Module) -> Iterator[None]:
    """What a model does by itself at the end of the block is what it did at its beginning."""
    before = _by_itself(part)
    try:
        yield
    finally:
        if _by_itself(part) != before:
            drop_by_itself(part)
            for entry in before:
                put(part, entry)


def _by_itself(part: nn.Module) -> list[OwnPart]:
    attached: WrappedPart | None = getattr(part, ATTRIBUTE, None)
    return [entry for entry in attached.entries if isinstance(entry, OwnPart)] if attached else []


def _drop(part: nn.Module, entries: list[OwnPart]) -> None:
    for entry in entries:
        getattr(part, ATTRIBUTE).drop(entry)


class WrappedPart:
    """A model whose convolutions wrap while a pipeline samples that wraps.

    Attributes:
        model: which one.
        entries: the settings of the pipelines that have it, the latest last.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.entries = model, list[Wrapping]()
        self._running, self._tiles = Running(), threading.local()
        self._checkpoints = CheckpointFollower(self._running.carry)
        self._undo, self._lock = ExitStack(), threading.RLock()

    def __reduce_ex__(self, _: Any) -> NoReturn:
        _refuse_copies()

    def put(self, entry: Wrapping) -> None:
        with self._lock:
            self.entries.append(entry)
            if len(self.entries) == 1:
                self._attach()

    def drop(self, entry: Wrapping) -> None:
        with self._lock:
            self.entries = [one for one in self.entries if one is not entry]
            if not self.entries:
                self._undo.close()
                compiled.forget(self.model)

    def _attach(self) -> None:
        with ExitStack() as undo:
            for name, value in ((ATTRIBUTE, self), ("__reduce_ex__", _refuse_copies)):
                setattr(self.model, name, value)
                undo.callback(delattr, self.model, name)
            ends = modules.padded_outside(self.model)
            for name, conv in modules.spatial_convolutions(self.model).items():
                convolution.attach(self._running, name, conv, undo, conv in ends)
            for part in self._called():
                undo.callback(part.register_forward_pre_hook(self._before).remove)
                undo.callback(part.register_forward_hook(self._after, always_call=True).remove)
            for name in _TILED if isinstance(self.model, AUTOENCODERS) else ():
                if hasattr(self.model, name):
                    tiled = functools.partial(self._tiled, getattr(self.model, name), _TILED[name])
                    setattr(self.model, name, tiled)
                    undo.callback(delattr, self.model, name)
            undo.callback(self._checkpoints.leave)
            self._undo = undo.pop_all()
        compiled.forget(self.model)

    def _called(self) -> Iterator[nn.Module]:
        """The modules that pipelines call: an autoencoder's two halves, of others the model itself."""
        if isinstance(self.model, AUTOENCODERS):
            yield from (self.model.encoder, self.model.decoder)
        else:
            yield self.model

    @torch.compiler.disable
    def _before(self, part: nn.Module, maps: tuple) -> None:
        wrap = NOWHERE if getattr(self._tiles, "on", False) else self._wrap()
        # Whatever fails below, it ends in `_after`.
        self._running.begin(Call(values=plain_values(wrap), outer=self._running.call))
        if any(wrap) and part is getattr(self.model, "encoder", None):
            check_sides(maps[0].shape[-2:], self._factor, wrap)
        self._checkpoints.follow(self.model)

    @torch.compiler.disable
    def _after(self, *_: Any) -> None:
        self._running.end()

    def _wrap(self) -> Axes:
        """The axes on which the picture wraps that is being made; outside of all pipelines the latest settings hold."""
        pipe = running_pipeline()
        if pipe is None:
            return self.entries[-1].wrap
        denoisers = (getattr(pipe, name, None) for name in _DENOISERS)
        attachments = (getattr(bare_unet(one), ATTRIBUTE, None) for one in denoisers)
        attachment = next(filter(None, attachments), None)
        followed = attachment.followed(pipe) if attachment is not None else []
        by_itself = [entry.wrap for entry in self.entries if isinstance(entry, OwnPart)]
        return next(iter([entry.wrap for entry in followed[:1]] + by_itself[-1:]), NOWHERE)

    def _tiled(self, own: Callable, decodes: bool, maps: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """An autoencoder's own way of working in tiles, on a picture that goes on beyond its ends."""
        wrap = self._wrap()
        if not any(wrap):
            return own(maps, *args, **kwargs)
        self._tiles.on = True
        try:
            output = own(self._longer(maps, decodes, wrap), *args, **kwargs)
        finally:
            self._tiles.on = False
        size = self._size_of_output(maps, decodes)
        if isinstance(output, torch.Tensor):
            return _closed(output, size, wrap)
        if isinstance(output, tuple):
            return (_closed_output(output[0], size, wrap), *output[1:])
        name = next(iter(output))
        return type(output)(**{name: _closed_output(output[name], size, wrap)})

    def _longer(self, maps: torch.Tensor, decodes: bool, wrap: Axes) -> torch.Tensor:
        """Maps that go on for an overlap of tiles at the right and below, where they wrap."""
        overlap = int(self.model.tile_latent_min_size * self.model.tile_overlap_factor)
        overlap *= 1 if decodes else self._factor
        for dim, closed in zip((-2, -1), wrap, strict=True):
            if closed:
                more = torch.arange(overlap, device=maps.device) % maps.shape[dim]
                maps = torch.cat([maps, maps.index_select(dim, more)], dim)
        return maps

    @property
    def _factor(self) -> int:
        """Pixels a latent pixel."""
        levels: int = len(self.model.config.block_out_channels)
        return 2 ** (levels - 1)

    def _size_of_output(self, maps: torch.Tensor, decodes: bool) -> tuple[int, int]:
        height, width = maps.shape[-2:]
        return (
            (height * self._factor, width * self._factor)
            if decodes
            else (height // self._factor, width // self._factor)
        )


def _closed_output(value: Any, size: tuple[int, int], wrap: Axes) -> Any:
    """What a tiled method gives: maps, or the distribution that an encoder's are the parameters of."""
    if isinstance(value, torch.Tensor):
        return _closed(value, size, wrap)
    return type(value)(_closed(value.parameters, size, wrap))


def _closed(maps: torch.Tensor, size: tuple[int, int], wrap: Axes) -> torch.Tensor:
    """Maps cut to `size`; what is left over fades into their beginning, where they wrap."""
    for dim, side, closed in zip((-2, -1), size, wrap, strict=True):
        if not closed:
            continue
        inside = maps.narrow(dim, 0, side)
        count = min(maps.shape[dim] - side, side)
        share = torch.arange(count, device=maps.device, dtype=maps.dtype) / count
        share = share.view((-1, 1) if dim == -2 else (-1,))
        start = torch.lerp(maps.narrow(dim, side, count), inside.narrow(dim, 0, count), share)
        maps = torch.cat([start, inside.narrow(dim, count, side - count)], dim)
    return maps


def _refuse_copies(*_: Any) -> NoReturn:
    raise TypeError(f"FouriScale is applied to this model: {COPYING}")
