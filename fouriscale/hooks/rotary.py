"""Rotary positions by rule on one transformer, put on and taken off again by hooks where positions are made.

A pre-hook on the transformer notes whose call begins, how many rows of it are text and how much noise there is; a hook
on the module that makes cos and sin puts its own in place of the image's. The noise is never read from the device: what
follows it is computed there. A schedule that the pipeline shifts with the number of tokens is shifted no further than
the settings say.
"""

from __future__ import annotations

import functools
import math
import threading
import weakref
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..maths.positions import frequencies, stock_frequencies, temperature
from ..maths.token_grid import Tokens, grid_tokens
from ..position_config import PositionConfig
from .applied import ATTRIBUTE
from .entries import Entries
from .pipelines import caller_of
from .rotary_families import family_of


@dataclass(frozen=True)
class Turns:
    """How far the image's own tokens are turned, by the settings.

    Attributes:
        angles: {axis of the ids: (own tokens, pairs)}, in radians.
        m: what their cos and sin are multiplied by.
    """

    angles: dict[int, torch.Tensor]
    m: float


class AppliedPositions:
    """Settings for one pipeline with a transformer.

    Attributes:
        pipe, denoiser, config: what they were made for.
    """

    def __init__(self, pipe: Any, transformer: nn.Module, config: PositionConfig):
        self.pipe, self.denoiser, self.config = pipe, transformer, config
        self.family = family_of(transformer)
        self._undo = ExitStack()
        self._known: tuple[weakref.ref[torch.Tensor], int, Tokens] | None = None

    def follow_the_pipeline(self) -> None:
        """Let its schedule be shifted no further than the settings say."""
        self._cap_shift(self._undo)

    def close(self) -> None:
        """Leave the pipeline as it was."""
        self._undo.close()

    def turns(self, maker: Any, tokens: Tokens, text: int, given: dict[str, Any]) -> Turns | None:
        """How far to turn the image's own tokens; None: as the model does.

        Args:
            maker: the module that makes the model's own positions.
            tokens: the image's.
            text: rows of text beside them.
            given: the transformer's arguments.
        """
        pixels = self.family.token_pixels(self.pipe)
        height, width = (side * pixels for side in tokens.size)
        scales = self.config.scales(height, width)
        if scales == (1.0, 1.0):
            return None
        lengths = (side / pixels for side in self.config.training_size(height, width))
        noise = self.family.noise(given) if self.config.dynamic else None
        angles = {}
        for place, (axis, scale, length) in enumerate(zip(self.family.axes, scales, lengths, strict=True)):
            stock = stock_frequencies(maker.axes_dim[axis], maker.theta, tokens.places.device)
            by_rule = frequencies(self.config.rule, stock, scale, length, noise)
            angles[axis] = tokens.places[:, place, None].to(by_rule.dtype) * by_rule
        return Turns(angles, self._temperature(scales, height, width, text, pixels))

    def _temperature(
        self, scales: tuple[float, float], height: int, width: int, text: int, pixels: int
    ) -> float:
        kind = self.config.temperature
        if not isinstance(kind, str):
            return kind
        now = height * width // pixels**2
        then = math.prod(self.config.training_size(height, width)) // pixels**2
        return temperature(kind, max(scales), now + text, then + text)

    def tokens_of(self, ids: torch.Tensor, first: int = 0) -> Tokens:
        """The picture's tokens by their ids, (ids, axes), those from `first` on.

        Read once for each tensor of ids: a pipeline hands on the same one at every step.
        """
        known = self._known
        if known is not None and known[0]() is ids and known[1] == ids._version:
            return known[2]
        image_ids = ids[first:]
        time = image_ids[:, 0]
        own = time == time[0]
        rows = image_ids[own, self.family.axes[0]]
        # In bf16 neighbouring rows have equal ids from 256 on, but the first row's is its own.
        columns = int((rows == rows[0]).sum())
        mask = None if bool(own.all()) else own
        tokens = grid_tokens(len(rows) // columns, columns, ids.device, own=mask)
        self._known = weakref.ref(ids), ids._version, tokens
        return tokens

    def _cap_shift(self, undo: ExitStack) -> None:
        """Let the scheduler be shifted no further than the settings say, until `undo`."""
        scheduler = self.pipe.scheduler
        stock = scheduler.set_timesteps
        if self.config.shift == "pipeline":
            return

        @functools.wraps(stock)
        def set_timesteps(*args: Any, **kwargs: Any) -> Any:
            mu = kwargs.get("mu")
            if mu is not None:
                kwargs["mu"] = min(mu, self._most_shift(kwargs))
            return stock(*args, **kwargs)

        scheduler.set_timesteps = set_timesteps
        undo.callback(delattr, scheduler, "set_timesteps")

    def _most_shift(self, kwargs: dict[str, Any]) -> float:
        if not isinstance(self.config.shift, str):
            return self.config.shift
        pixels = self.family.token_pixels(self.pipe)
        largest = max(math.prod(size) for size in self.config.training_sizes)
        sigmas = kwargs.get("sigmas")
        steps = len(sigmas) if sigmas is not None else int(kwargs.get("num_inference_steps") or 1)
        return self.family.shift(self.pipe, largest // pixels**2, steps)


class _Latest(threading.local):
    """The transformer's call that runs in this thread: whose settings it follows, and what it was given."""

    call: tuple[AppliedPositions, dict[str, Any]] | None = None


class RotaryAttachment(Entries[AppliedPositions]):
    """Positions by rule on one transformer, with settings for each of the pipelines that they were applied to.

    Attributes:
        transformer: which one.
    """

    def __init__(self, transformer: nn.Module):
        super().__init__()
        self.transformer = transformer
        self._latest, self._undo = _Latest(), ExitStack()

    def _attach(self) -> None:
        attached = getattr(self.transformer, ATTRIBUTE, None) is self
        if not self.entries:
            self._undo.close()
        elif not attached:
            with ExitStack() as undo:
                setattr(self.transformer, ATTRIBUTE, self)
                undo.callback(delattr, self.transformer, ATTRIBUTE)
                before = self.transformer.register_forward_pre_hook(self._before, with_kwargs=True)
                undo.callback(before.remove)
                after = self.transformer.register_forward_hook(self._after, always_call=True)
                undo.callback(after.remove)
                maker = getattr(self.transformer, self.entries[-1].family.maker)
                undo.callback(maker.register_forward_hook(self._replace).remove)
                self._undo = undo.pop_all()

    def _before(self, _: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        caller = caller_of(self.transformer, "transformer")
        followed = self.followed(caller.pipe) if caller.pipe is not None else self.entries[-1:]
        self._latest.call = (followed[0], kwargs) if followed else None

    def _after(self, _: nn.Module, args: tuple, output: Any) -> None:
        self._latest.call = None

    def _replace(self, maker: nn.Module, args: tuple, output: Any) -> Any:
        """What the maker gives, with the image's own positions by the settings; None: as it is."""
        call = self._latest.call
        if call is None:
            return None
        entry, given = call
        return entry.family.replace(entry, maker, args, output, given)
