"""The tokens of a picture and where they lie. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Tokens:
    """The image tokens of a call.

    Attributes:
        size: (rows, columns).
        own: which of the image's ids are the picture's own and no reference's, (ids,) bool; None: all.
        places: (own, 2) float32, row and column of each.
    """

    size: tuple[int, int]
    own: torch.Tensor | None
    places: torch.Tensor


def grid_tokens(
    rows: int,
    columns: int,
    device: torch.device,
    middle: tuple[int, int] = (0, 0),
    own: torch.Tensor | None = None,
) -> Tokens:
    """Row by row from the top left.

    Args:
        middle: which row and column are counted as 0.
    """
    place = torch.arange(rows * columns, device=device)
    places = torch.stack([place // columns - middle[0], place % columns - middle[1]], 1).float()
    return Tokens((rows, columns), own, places)
