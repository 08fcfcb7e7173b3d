"""Matrices on the two axes of maps, in as few operators as can be, for on a GPU each costs a launch. Pure."""

from __future__ import annotations

import torch

Pair = tuple[torch.Tensor, torch.Tensor]
"""(rows, columns): a matrix to the left of every map and one to its right.

For one product they are (h, height) and (width, w). For the sum of n products they are (h, n height), with a column
of each in turn, and (width, n w), one beside the other.
"""


def along_axes(x: torch.Tensor, matrices: Pair) -> torch.Tensor:
    """`rows @ map @ columns` of every map: (B, C, height, width) to (B, C, h, w), contiguous."""
    maps = _along(x.reshape(-1, x.shape[-1]), matrices, x.shape[0] * x.shape[1])
    return maps.view(*x.shape[:2], *maps.shape[1:])


def along_axes_apart(x: torch.Tensor, count: int, first: Pair, others: Pair) -> torch.Tensor:
    """The same, with matrices of their own for the first `count` of B; both pairs give maps of one size."""
    height, width = x.shape[-2:]
    maps = count * x.shape[1], (x.shape[0] - count) * x.shape[1]
    lines = x.reshape(-1, width).split([n * height for n in maps])
    both = torch.cat([_along(*part) for part in zip(lines, (first, others), maps, strict=True)])
    return both.view(*x.shape[:2], *both.shape[1:])


def _along(lines: torch.Tensor, matrices: Pair, maps: int) -> torch.Tensor:
    """Lines (maps height, width) to maps (maps, h, w)."""
    rows, columns = matrices
    # What is n w wide is n lines of w one below the other, as `rows` has it.
    products = (lines @ columns).view(maps, rows.shape[1], -1)
    return torch.bmm(rows.expand(maps, -1, -1), products)
