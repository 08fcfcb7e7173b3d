"""A table of learned or sine positions read between its entries. Pure."""

from __future__ import annotations

import torch

from .sizes import Size


def places(side: int, training: int, scale: float, entries: int) -> torch.Tensor:
    """Where on an axis of the table `side` tokens lie that are `scale` times as dense as in training, (side,) float64.

    They have the middle of the `training` tokens that are cut out of the middle of the table's `entries`.
    """
    middle = (entries - training) // 2 + (training - 1) / 2
    return middle + (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) / scale


def cubic(at: torch.Tensor, entries: int) -> torch.Tensor:
    """(places, entries): weights that read an axis at places, exact for quadratics; ends are continued as they are.

    Source: Keys, "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics,
    Speech and Signal Processing 29(6), 1981, equation 15.
    """
    before = at.floor()
    weights = at.new_zeros(len(at), entries)
    for step in range(-1, 3):
        distance = (at - before - step).abs()
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        index = (before + step).clamp(0, entries - 1).long()
        weights.scatter_add_(1, index[:, None], torch.where(distance < 1, near, far)[:, None])
    return weights


def denser(table: torch.Tensor, size: Size, training: Size, scales: tuple[float, float]) -> torch.Tensor:
    """Positions of size[0] x size[1] tokens between those of training, (rows * columns, channels).

    Args:
        table: (rows, columns, channels), of which training cuts out the middle.
        training: (rows, columns).
        scales: how many times as dense as in training rows and columns lie.
    """
    axes = []
    for side, n, scale, entries in zip(size, training, scales, table.shape[:2], strict=True):
        weights = cubic(places(side, n, scale, entries), entries)
        used = weights.any(0).nonzero()  # on the CPU; a table is much larger than the part that is read
        part = slice(int(used[0]), int(used[-1]) + 1)
        axes.append((part, weights[:, part].to(table.device, torch.float32)))
    (rows, along_rows), (columns, along_columns) = axes
    lines = torch.einsum("yi,ijc->yjc", along_rows, table[rows, columns].float())
    return torch.einsum("xj,yjc->yxc", along_columns, lines).flatten(0, 1).to(table.dtype)
