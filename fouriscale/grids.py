"""Self-attention's tokens in groups of the training size, so that each token sees what it saw in training. Pure.

A dilation of d makes a convolution see every d-th pixel. The same for self-attention: the tokens of an H x W
map are d x d interleaved grids of H/d x W/d, and each grid attends within itself, with the token count and the
spacing of training, for 1/d^2 of the work. Where the model is its plain self again, the groups can be windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

Size = tuple[int, int]  # (height, width)
_BARRED = -10000.0  # added to the logits of tokens that are none, as diffusers does; float16 holds it


@dataclass(frozen=True)
class Grids:
    """The tokens of one map in `factor` x `factor` groups.

    Attributes:
        size: of the map, in tokens.
        factor: groups on each axis, at least 1.
        windows: neighbouring tokens make a group, instead of every `factor`-th.
        shifted: the windows begin half a window in, and those at the end go on at the beginning.
    """

    size: Size
    factor: int
    windows: bool = False
    shifted: bool = False

    @property
    def group(self) -> Size:
        """Tokens of a group on each axis; some are empty where `factor` does not divide `size`."""
        height, width = (math.ceil(side / self.factor) for side in self.size)
        return height, width

    def split(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (B, H W, C) as groups (B factor^2, tokens of a group, C), all of a row one after another."""
        (height, width), (h, w), f = self.size, self.group, self.factor
        channels = tokens.shape[-1]
        grid = tokens.unflatten(1, self.size)
        grid = F.pad(grid, (0, 0, 0, w * f - width, 0, h * f - height))
        if self.shifted:
            grid = grid.roll((-(h // 2), -(w // 2)), (1, 2))
        grid = grid.reshape(-1, *((f, h, f, w) if self.windows else (h, f, w, f)), channels)
        grid = grid.permute(0, 1, 3, 2, 4, 5) if self.windows else grid.permute(0, 2, 4, 1, 3, 5)
        return grid.reshape(-1, h * w, channels)

    def join(self, groups: torch.Tensor) -> torch.Tensor:
        """What `split` gave, as tokens (B, H W, C) again."""
        (height, width), (h, w), f = self.size, self.group, self.factor
        channels = groups.shape[-1]
        grid = groups.reshape(-1, f, f, h, w, channels)
        grid = grid.permute(0, 1, 3, 2, 4, 5) if self.windows else grid.permute(0, 3, 1, 4, 2, 5)
        grid = grid.reshape(-1, h * f, w * f, channels)
        if self.shifted:
            grid = grid.roll((h // 2, w // 2), (1, 2))
        return grid[:, :height, :width].reshape(-1, height * width, channels)

    def bias(self, rows: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor | None:
        """(rows factor^2, 1, tokens of a group) to add to the logits, which bars empty tokens; None if none is."""
        if all(side % self.factor == 0 for side in self.size):
            return None
        there = torch.ones(1, math.prod(self.size), 1, device=device, dtype=dtype)
        return ((1 - self.split(there)) * _BARRED).mT.repeat(rows, 1, 1)
