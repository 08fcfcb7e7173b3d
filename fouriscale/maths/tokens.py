"""Which of a map's tokens self-attention looks at. Pure.

A dilation of d makes a convolution see every d-th pixel. The same for self-attention: the tokens of an H x W
map are d x d interleaved grids of H/d x W/d, and each attends within itself, with the spacing of training, for
1/d^2 of the work. Or all tokens look at the same few, as many as in training, evenly spaced over the map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .sizes import Size

_BARRED = -10000.0  # added to the logits of tokens that are none, as diffusers does; float16 holds it


@dataclass(frozen=True)
class Grids:
    """The tokens of one map as `factor` x `factor` grids, each of every `factor`-th token on both axes.

    Attributes:
        size: of the map, in tokens.
        factor: grids on each axis, at least 1.
    """

    size: Size
    factor: int

    @property
    def each(self) -> Size:
        """Tokens of a grid on each axis; some are empty where `factor` does not divide `size`."""
        height, width = (math.ceil(side / self.factor) for side in self.size)
        return height, width

    def split(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (B, H W, C) as grids (B factor^2, tokens of a grid, C), all of a row one after another."""
        (height, width), (h, w), f = self.size, self.each, self.factor
        grid = tokens.unflatten(1, self.size)
        grid = F.pad(grid, (0, 0, 0, w * f - width, 0, h * f - height))
        grid = grid.reshape(-1, h, f, w, f, tokens.shape[-1])
        return grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, h * w, tokens.shape[-1])

    def join(self, grids: torch.Tensor) -> torch.Tensor:
        """What `split` gave, as tokens (B, H W, C) again."""
        (height, width), (h, w), f = self.size, self.each, self.factor
        grid = grids.reshape(-1, f, f, h, w, grids.shape[-1]).permute(0, 3, 1, 4, 2, 5)
        grid = grid.reshape(-1, h * f, w * f, grids.shape[-1])
        return grid[:, :height, :width].reshape(-1, height * width, grids.shape[-1])

    def bias(self, rows: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor | None:
        """(rows factor^2, 1, tokens of a grid) to add to the logits, which bars empty tokens; None if none is."""
        if all(side % self.factor == 0 for side in self.size):
            return None
        there = torch.ones(1, math.prod(self.size), 1, device=device, dtype=dtype)
        return ((1 - self.split(there)) * _BARRED).mT.repeat(rows, 1, 1)


@dataclass(frozen=True)
class SampledTokens:
    """Some of the tokens of one map, evenly spaced.

    Attributes:
        size: of the map, in tokens.
        count: how many on each axis; all where the axis is no longer than that.
    """

    size: Size
    count: Size

    def index(self, device: torch.device | None = None) -> torch.Tensor | None:
        """Where those that are picked lie among all H W tokens; None: all are."""
        rows, columns = (
            places(side, min(count, side), device) for side, count in zip(self.size, self.count, strict=True)
        )
        index = (rows[:, None] * self.size[1] + columns).flatten()
        return None if len(index) == math.prod(self.size) else index


def places(side: int, count: int, device: torch.device | None = None) -> torch.Tensor:
    """The whole numbers below `side` at the middles of `count` equal parts, or next before them."""
    i = torch.arange(count, device=device)
    return (2 * i * side + side - count) // (2 * count)
