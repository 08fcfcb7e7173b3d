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
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..maths.positions import frequencies, stock_frequencies, temperature
from ..position_config import PositionConfig
from .applied import ATTRIBUTE
from .entries import Entries
from .pipelines import caller_of
from .rotary_families import family_of

Rotations = tuple[torch.Tensor, torch.Tensor]  # cos and sin, (rows, channels) each


@dataclass(frozen=True)
class Tokens:
    """The image tokens of a call.

    Attributes:
        size: (rows, columns).
        own: which of the image's ids are the picture's own and no reference's, (ids,) bool; None: all.
        places: (own, 2) float32, row and column of each, on the ids' device.
    """

    size: tuple[int, int]
    own: torch.Tensor | None
    places: torch.Tensor


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

    def positions(
        self, maker: Any, ids: torch.Tensor, stock: Rotations, given: dict[str, Any]
    ) -> Rotations | None:
        """cos and sin by the settings, (rows, channels) each, in place of the model's own; None: as they are.

        Args:
            maker: the module that made `stock` of `ids`.
            given: the transformer's arguments.
        """
        image_ids = _flat(given[self.family.image_ids])
        first = len(ids) - len(image_ids)  # rows of text before the image's
        if not self.family.joined and ids.data_ptr() != image_ids.data_ptr():
            return None  # the text's, which some make for themselves
        tokens = self._tokens(image_ids)
        pixels = self.family.token_pixels(self.pipe)
        height, width = (side * pixels for side in tokens.size)
        scales = self.config.scales(height, width)
        if scales == (1.0, 1.0):
            return None
        m = self._temperature(scales, height, width, first, pixels)
        noise = self.family.noise(given) if self.config.dynamic else None
        own = slice(None) if tokens.own is None else tokens.own
        replaced = []
        for part, turn in zip(stock, (torch.cos, torch.sin), strict=True):
            image = part[first:].clone()
            image[own] = self._image(maker, image[own], tokens, scales, m, noise, turn)
            replaced.append(torch.cat([part[:first], image]))
        return replaced[0], replaced[1]

    def _image(
        self,
        maker: Any,
        stock: torch.Tensor,
        tokens: Tokens,
        scales: tuple[float, float],
        m: float,
        noise: torch.Tensor | None,
        turn: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """cos or sin of the image's own rows, (own, channels): those of rows and columns anew, else the stock ones."""
        begins = [sum(maker.axes_dim[:axis]) for axis in range(len(maker.axes_dim))]
        changed = stock.clone()
        for place, (axis, scale) in enumerate(zip(self.family.axes, scales, strict=True)):
            channels = maker.axes_dim[axis]
            length = self._training_length(tokens.size)[place]
            known = stock_frequencies(channels, maker.theta, stock.device)
            by_rule = frequencies(self.config.rule, known, scale, length, noise)
            angles = tokens.places[:, place, None].to(by_rule.dtype) * by_rule
            values = m * turn(angles).repeat_interleave(2, dim=1)
            changed[:, begins[axis] : begins[axis] + channels] = values.to(stock.dtype)
        return changed

    def _training_length(self, size: tuple[int, int]) -> tuple[float, float]:
        """Tokens along each axis at the training size."""
        pixels = self.family.token_pixels(self.pipe)
        height, width = (side * pixels for side in size)
        best = self.config.training_size(height, width)
        return best[0] / pixels, best[1] / pixels

    def _temperature(
        self, scales: tuple[float, float], height: int, width: int, text: int, pixels: int
    ) -> float:
        kind = self.config.temperature
        if not isinstance(kind, str):
            return kind
        now = height * width // pixels**2
        then = math.prod(self.config.training_size(height, width)) // pixels**2
        return temperature(kind, max(scales), now + text, then + text)

    def _tokens(self, image_ids: torch.Tensor) -> Tokens:
        """Read once for each tensor of ids: a pipeline hands on the same one at every step."""
        known = self._known
        if known is not None and known[0]() is image_ids and known[1] == image_ids._version:
            return known[2]
        time = image_ids[:, 0]
        own = time == time[0]
        rows = image_ids[own, self.family.axes[0]]
        # In bf16 neighbouring rows have equal ids from 256 on, but the first row's is its own.
        columns = int((rows == rows[0]).sum())
        count = len(rows)
        place = torch.arange(count, device=image_ids.device)
        places = torch.stack([place // columns, place % columns], 1).float()
        tokens = Tokens((count // columns, columns), None if bool(own.all()) else own, places)
        self._known = weakref.ref(image_ids), image_ids._version, tokens
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

    def _replace(self, maker: nn.Module, args: tuple, output: Rotations) -> Rotations | None:
        call = self._latest.call
        return None if call is None else call[0].positions(maker, args[0], output, call[1])


def _flat(ids: torch.Tensor) -> torch.Tensor:
    """(ids, axes), without the dimension of a batch that some pipelines give."""
    return ids[0] if ids.ndim == 3 else ids
