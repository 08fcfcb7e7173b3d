"""Z-Image's positions are made by an object that is no module: another one stands in its place for a while."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from .rotary_call import Attached

NAME = "rope_embedder"


class Embedder:
    """Makes what the stock one makes, with the image's positions by the settings."""

    def __init__(self, stock: Any, attachment: Attached):
        self._stock, self._attachment = stock, attachment

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_stock"], name)

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self._stock(ids)
        replaced: torch.Tensor | None = self._attachment.replaced(self._stock, (ids,), made)
        return made if replaced is None else replaced


def stand_in(attachment: Attached, transformer: nn.Module, undo: ExitStack) -> None:
    """Put an `Embedder` in the stock one's place until `undo`."""
    stock = getattr(transformer, NAME)
    setattr(transformer, NAME, Embedder(stock, attachment))
    undo.callback(setattr, transformer, NAME, stock)
