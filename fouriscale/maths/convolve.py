"""A convolution with its filter taps spread, and what it sees beyond the map's border. Pure."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .wrap import NOWHERE, Axes

_Sides = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)


def dilated(
    conv: nn.Conv2d,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    dilation: int,
    wrap: Axes = NOWHERE,
    border: str = "zeros",
) -> torch.Tensor:
    """`conv`'s own convolution of x (B, C, height, width), dilated; the output keeps its usual size.

    Dilation by s is the kernel whose spectrum is the s x s repetition of the learned one, so a
    subsampled map sees what it saw in training (FouriScale, arXiv 2403.12963, Section 3.2).
    Stride, groups and padding mode are the layer's own; padding grows with the dilation.

    Args:
        wrap: the axes on which the map goes on at its other end, whatever stands beyond the other borders.
        border: what stands there, one of `choices.BORDERS`, where the layer has no padding mode of its own. Dilated,
            the map's interleaved grids are each continued by themselves, as the whole map was in training.
    """
    spread = (conv.dilation[0] * dilation, conv.dilation[1] * dilation)
    own = conv.padding_mode != "zeros"  # such as "circular", with which people make seamless tiles
    if isinstance(conv.padding, str) and not own and border == "zeros" and not any(wrap):
        return F.conv2d(
            x, weight, bias, conv.stride, conv.padding, spread, conv.groups
        )  # it adapts by itself
    sides, zeros = _sides(conv, dilation), [0, 0]
    ratios = []
    for axis, (before, after) in enumerate(sides):
        side = x.shape[axis - 2]
        kind = "circular" if wrap[axis] else conv.padding_mode if own else border
        if kind == "partial":
            kernel, stride = weight.shape[axis + 2], conv.stride[axis]
            ratios.append((axis, partial_ratio(side, kernel, stride, before, after, spread[axis])))
        if kind in ("zeros", "partial") and before == after:
            zeros[axis] = before
        elif before or after:
            x = _continued(x, axis - 2, before, after, kind, 1 if own else spread[axis])
    if not ratios:
        return F.conv2d(x, weight, bias, conv.stride, tuple(zeros), spread, conv.groups)
    y = F.conv2d(x, weight, None, conv.stride, tuple(zeros), spread, conv.groups)
    for axis, ratio in ratios:
        y = y * ratio.to(y).unflatten(0, (-1, 1) if axis == 0 else (1, -1))
    return y if bias is None else y + bias[:, None, None].to(y)


def partial_ratio(
    side: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> torch.Tensor:
    """(outputs,): taps of an axis of the kernel over those that lie inside the map, for each output along it.

    The ratio of two axes is the product of theirs. The bias is not scaled.

    Args:
        side: of the map.
        kernel, stride, dilation: of the convolution on this axis.
        before, after: its padding.

    Source: Liu et al., "Partial Convolution based Padding", arXiv 1811.11718, Equations 2 and 3.
    """
    outputs = (side + before + after - dilation * (kernel - 1) - 1) // stride + 1
    taps = stride * torch.arange(outputs)[:, None] - before + dilation * torch.arange(kernel)
    inside = ((taps >= 0) & (taps < side)).sum(1)
    return torch.where(inside > 0, kernel / inside.clamp(min=1), 0.0)


def _sides(conv: nn.Conv2d, dilation: int) -> _Sides:
    """How far the padding reaches, grown with the dilation."""
    if isinstance(conv.padding, str):
        left, right, top, bottom = (p * dilation for p in conv._reversed_padding_repeated_twice)
        return (top, bottom), (left, right)
    height, width = (p * dilation for p in conv.padding)
    return (height, height), (width, width)


def _continued(x: torch.Tensor, dim: int, before: int, after: int, kind: str, step: int) -> torch.Tensor:
    """x with one axis continued beyond its two ends.

    Args:
        kind: "zeros", "partial", "circular", "reflect" or "replicate".
        step: of every how many places those that are continued together consist.
    """
    side = x.shape[dim]
    if kind in ("zeros", "partial"):
        return F.pad(x, (before, after) if dim == -1 else (0, 0, before, after))
    if kind == "circular" and max(before, after) <= side:
        ends = x.narrow(dim, side - before, before), x.narrow(dim, 0, after)
        return torch.cat([ends[0], x, ends[1]], dim)
    places = continued_places(side, before, after, kind, step)
    return x.index_select(dim, places.to(x.device))


def continued_places(side: int, before: int, after: int, kind: str, step: int) -> torch.Tensor:
    """(before + side + after,): which place of an axis stands at each place of the continued one.

    Args:
        kind: "circular", "reflect" (without the end itself) or "replicate".
        step: the axis is that many interleaved grids, each continued by itself; for "circular" it makes no difference.
    """
    places = torch.arange(-before, side + after)
    if kind == "circular":
        return places % side
    grid = places % step
    last = ((side - 1 - grid).div(step, rounding_mode="floor")).clamp(min=0)  # of each grid
    place = places.div(step, rounding_mode="floor")
    if kind == "replicate":
        place = place.minimum(last).clamp(min=0)
    else:
        period = (2 * last).clamp(min=1)
        place = place % period
        place = place.minimum(period - place)
        place = torch.where(last > 0, place, 0)
    return (place * step + grid).clamp(max=side - 1)
