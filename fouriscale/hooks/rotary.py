"""Settings for one pipeline with a transformer: how far its image's tokens are turned, and its schedule shifted.

The noise is never read from the device: what follows it is computed there. A schedule that the pipeline shifts with the
number of tokens is shifted no further than the settings say.
"""

from __future__ import annotations

import math
import weakref
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from ..maths.positions import frequencies, stock_frequencies, temperature, whole_turns
from ..maths.token_grid import Tokens, grid_tokens
from ..maths.wrap import NOWHERE, WRAPS, Axes, either, name_of
from ..position_config import PositionConfig
from . import rotary_wrap, shift, wrapping
from .applied import ATTRIBUTE
from .pipelines import caller_of
from .rotary_call import Turns
from .rotary_families import channels_of, family_of


class AppliedPositions:
    """Settings for one pipeline with a transformer.

    Attributes:
        pipe, denoiser, config: what they were made for; without a config positions are the model's own, but for
            wrapping.
        own_wrap, wrap: as those of a UNet's settings.
    """

    def __init__(
        self, pipe: Any, transformer: nn.Module, config: PositionConfig | None, own_wrap: Axes = NOWHERE
    ):
        self.pipe, self.denoiser, self.config, self.own_wrap = pipe, transformer, config, own_wrap
        self.wrap = either(own_wrap, WRAPS[config.wrap] if config else NOWHERE)
        self.family = family_of(transformer)
        if any(self.wrap):
            rotary_wrap.refuse(pipe, transformer, self.wrap)
        self.family.check(pipe, transformer, config)
        self._parts = wrapping.parts_of(pipe) if any(self.wrap) else []
        self._undo = ExitStack()
        self._known: tuple[weakref.ref[torch.Tensor], int, Tokens] | None = None

    def follow_the_pipeline(self) -> None:
        """Let its schedule be shifted no further than the settings say."""
        if self.config is not None and self.config.shift != "pipeline":
            shift.cap(self.pipe.scheduler, self, self._undo)

    def wrap_parts(self) -> None:
        """Let the pipeline's other models wrap, until `close`."""
        for part in self._parts:
            self._undo.callback(wrapping.put(part, self))

    def close(self) -> None:
        """Leave the pipeline as it was."""
        self._undo.close()

    def follows(self) -> AppliedPositions | None:
        """The settings that the pipeline follows which runs in this thread; None: none with this transformer runs."""
        running = caller_of(self.denoiser, "transformer").pipe
        attachment: Any = getattr(self.denoiser, ATTRIBUTE, None)
        followed = attachment.followed(running) if attachment and running is not None else []
        return followed[0] if followed else None

    def pixels(self, tokens: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a picture of so many rows and columns of tokens."""
        each = self.family.token_pixels(self.pipe)
        return tokens[0] * each, tokens[1] * each

    def scales(self, tokens: tuple[int, int]) -> tuple[float, float] | None:
        """How many times as long as in training the axes of a picture of so many tokens are; None: no longer.

        Raises:
            ValueError: they are, and nothing caps the schedule's shift any more.
        """
        if self.config is None:
            return None
        scales = self.config.scales(*self.pixels(tokens))
        if scales == (1.0, 1.0):
            return None
        scheduler = self.pipe.scheduler
        capped = self.config.shift == "pipeline" or shift.is_capped(scheduler)
        if not capped and scheduler.config.get("use_dynamic_shifting"):
            raise ValueError(
                f"{type(self.pipe).__name__} was given another {type(scheduler).__name__} since FouriScale was "
                "applied, which is shifted further than in training: call apply_fouriscale again"
            )
        return scales

    def training_tokens(self, tokens: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) in training of a picture of so many tokens; without a config as many."""
        if self.config is None:
            return tokens
        height, width = self.config.training_size(*self.pixels(tokens))
        each = self.family.token_pixels(self.pipe)
        return height // each, width // each

    def turns(self, maker: Any, tokens: Tokens, text: int, given: dict[str, Any]) -> Turns | None:
        """How far to turn the image's own tokens; None: as the model does.

        Args:
            maker: the module that makes the model's own positions.
            tokens: the image's.
            text: rows of text beside them.
            given: the transformer's arguments.
        """
        scales = self.scales(tokens.size)
        if scales is None and not any(self.wrap):
            return None
        lengths = self.training_tokens(tokens.size)
        angles = {}
        for place, axis in enumerate(self.family.axes):
            if scales is None and not self.wrap[place]:
                continue
            each = stock_frequencies(channels_of(maker)[axis], maker.theta, tokens.places.device)
            if scales is not None and self.config is not None:
                noise = self.family.noise(given) if self.config.dynamic else None
                each = frequencies(self.config.rule, each, scales[place], lengths[place], noise)
            if self.wrap[place]:
                each = whole_turns(each, tokens.size[place])
            angles[axis] = tokens.places[:, place, None].to(each.dtype) * each
        return Turns(angles, self.temperature(tokens.size, text))

    def refuse_references(self) -> None:
        """ValueError if the picture wraps, for a reference's tokens lie where they lay in training."""
        if any(self.wrap):
            raise ValueError(
                f"wrap={name_of(self.wrap)!r}: this {type(self.pipe).__name__} has reference pictures beside its own, "
                "which would no longer lie where it looks for them; leave them or the wrap out"
            )

    def temperature(self, tokens: tuple[int, int], text: int) -> float:
        """What to multiply queries and keys of a picture's tokens by; 1 within the training size.

        Args:
            tokens: rows and columns of the picture.
            text: rows of text beside them.
        """
        scales = self.scales(tokens)
        if scales is None or self.config is None:
            return 1.0
        kind = self.config.temperature
        if not isinstance(kind, str):
            return kind
        now, then = math.prod(tokens), math.prod(self.training_tokens(tokens))
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
        if not bool(own.all()):
            self.refuse_references()
        rows = image_ids[own, self.family.axes[0]]
        # In bf16 neighbouring rows have equal ids from 256 on, but the first row's is its own.
        columns = int((rows == rows[0]).sum())
        mask = None if bool(own.all()) else own
        tokens = grid_tokens(len(rows) // columns, columns, ids.device, own=mask)
        self._known = weakref.ref(ids), ids._version, tokens
        return tokens

    def most_shift(self, kwargs: dict[str, Any]) -> float | None:
        """The largest shift for these arguments of `set_timesteps`; None: whatever the pipeline says."""
        if self.config is None or self.config.shift == "pipeline":
            return None
        if not isinstance(self.config.shift, str):
            return self.config.shift
        pixels = self.family.token_pixels(self.pipe)
        largest = max(math.prod(size) for size in self.config.training_sizes)
        sigmas = kwargs.get("sigmas")
        steps = len(sigmas) if sigmas is not None else int(kwargs.get("num_inference_steps") or 1)
        return self.family.shift(self.pipe, largest // pixels**2, steps)
