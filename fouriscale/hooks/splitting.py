"""The unconditional rows go through the UNet before the others, for less memory at once.

The UNet's `forward` is run twice inside one call of the UNet, so that everybody's hooks on it run once and see all
rows. It stands beneath accelerate's hooks, which put their own `forward` on top at every image.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from .call import Running, halves
from .rows import pick_rows

_ACCELERATES = "_old_forward"  # where accelerate's hooks keep the `forward` beneath them


class SplitForward:
    """What stands in for a UNet's `forward`; without a call to split it is the UNet's own.

    Where something else takes it off, rows go together again, with equal results.
    """

    def __init__(self, unet: UNet2DConditionModel, running: Running) -> None:
        self.unet, self.running = unet, running
        self._stand_in: Callable | None = None

    @property
    def in_place(self) -> bool:
        return self._place() is not None

    def attach(self) -> None:
        """Stand in for `forward`, unless that is so already."""
        if self.in_place:
            return
        place = _ACCELERATES if _ACCELERATES in vars(self.unet) else "forward"
        self._own, self._inner = place in vars(self.unet), getattr(self.unet, place)
        self._stand_in = functools.update_wrapper(
            functools.partial(_split, self.running, self._inner), self._inner
        )
        setattr(self.unet, place, self._stand_in)

    def detach(self) -> None:
        place = self._place()
        if place == "forward" and not self._own:
            del self.unet.forward
        elif place is not None:
            setattr(self.unet, place, self._inner)
        self._stand_in = None

    def _place(self) -> str | None:
        """Where it stands; None: nowhere that is known."""
        if self._stand_in is None:
            return None
        places = (_ACCELERATES, "forward")
        return next((place for place in places if vars(self.unet).get(place) is self._stand_in), None)


@torch.compiler.disable(recursive=False)
def _split(running: Running, inner: Callable, *args: Any, **kwargs: Any) -> Any:
    call = running.call
    if call is None or not call.split or call.plan is None:
        return inner(*args, **kwargs)
    rows, outputs = call.plan.rows, []
    half = rows // 2
    picks: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
        operator.itemgetter(slice(half)),
        functools.partial(_conditional, half=half, guidance_rows=call.plan.guidance_rows),
    )
    for part, pick in zip(halves(call), picks, strict=True):
        with running.within(part):
            outputs.append(inner(*pick_rows(args, rows, pick), **pick_rows(kwargs, rows, pick)))
    sample = torch.cat([output[0] for output in outputs])
    last = outputs[-1]
    return (sample, *last[1:]) if isinstance(last, tuple) else type(last)(sample=sample)


def _conditional(values: torch.Tensor, half: int, guidance_rows: int) -> torch.Tensor:
    """The conditional rows, and those of the guidance branch after them."""
    conditional = values[half:]
    return torch.cat([conditional, conditional[-guidance_rows:]]) if guidance_rows else conditional
