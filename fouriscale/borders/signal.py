"""How much position is in feature maps: sums over inputs, and the figures that come out of them. Torch only.

The reference is the same network wrapped: with inputs whose law is the same at every place, what it gives has the same
law at every place too, up to its strides. So whatever stays of the difference to it on average over inputs is a
pattern that the border has written.

Source: Lin et al., "PPP", arXiv 2206.01202, whose reference is a larger canvas; that is none for a network with
attention, which sees all of a canvas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from . import GROUPS

_STUDENT = 2.365  # 97.5% point of Student's t with 7 degrees of freedom
_CHANNELS = 64  # of a map at most, evenly chosen

Figure = dict[str, Any]
"""A figure with its 95% interval, {"value", "low", "high"}, and under "left_out" itself without each of the groups."""


def distances(height: int, width: int) -> torch.Tensor:
    """(height, width): how many pixels lie between each pixel and the nearest border; 0 at the border itself."""
    rows, columns = torch.arange(height), torch.arange(width)
    down = torch.minimum(rows, height - 1 - rows)
    right = torch.minimum(columns, width - 1 - columns)
    return torch.minimum(down[:, None], right)


def by_distance(maps: torch.Tensor) -> torch.Tensor:
    """(..., distances): the means of maps (..., height, width) over the pixels of each distance to the border."""
    rings = distances(maps.shape[-2], maps.shape[-1]).flatten().to(maps.device)
    count = int(rings.max()) + 1
    members = torch.nn.functional.one_hot(rings, count).to(maps)
    return maps.flatten(-2) @ (members / members.sum(0))


def figure(measure: Callable[[Sequence[int]], float]) -> Figure:
    """A figure of all groups with its interval, by leaving out one group at a time (the jackknife).

    Args:
        measure: the figure of these groups.
    """
    value = measure(range(GROUPS))
    left_out = [measure([j for j in range(GROUPS) if j != i]) for i in range(GROUPS)]
    return with_interval(value, left_out)


def with_interval(value: float, left_out: Sequence[float]) -> Figure:
    """A figure that is never negative, with its 95% interval.

    Args:
        value: of all inputs.
        left_out: without each of the groups.
    """
    mean = sum(left_out) / len(left_out)
    error = math.sqrt((len(left_out) - 1) / len(left_out) * sum((one - mean) ** 2 for one in left_out))
    low, high = value - _STUDENT * error, value + _STUDENT * error
    bounded = {name: max(one, 0.0) for name, one in (("value", value), ("low", low), ("high", high))}
    return bounded | {"left_out": list(left_out)}


def mean_figure(figures: Sequence[Figure], weights: Sequence[float] | None = None) -> Figure:
    """The mean of figures of the same groups.

    Args:
        weights: of each; None: they are equal.
    """
    weights = weights or [1.0] * len(figures)
    total = sum(weights)

    def mean(values: Sequence[float]) -> float:
        return sum(weight * value for weight, value in zip(weights, values, strict=True)) / total

    left_out = [mean([one["left_out"][i] for one in figures]) for i in range(GROUPS)]
    return with_interval(mean([one["value"] for one in figures]), left_out)


def ratio(one: Figure, other: Figure) -> Figure | None:
    """One figure over another of the same groups; None where the other is 0 within its interval."""
    if other["low"] <= 0:
        return None
    left_out = [a / b for a, b in zip(one["left_out"], other["left_out"], strict=True)]
    return with_interval(one["value"] / other["value"], left_out)


class PositionSums:
    """Sums over inputs of one block's maps, group by group, of 64 channels at most."""

    def __init__(self) -> None:
        self.counts = [0] * GROUPS
        self._patterns: list[Any] = [
            0.0
        ] * GROUPS  # (C, H, W): of the differences' deviations from their own mean
        self._squares: list[Any] = [0.0] * GROUPS  # (H, W): of their squares, the channels' mean
        self._maps: list[Any] = [0.0] * GROUPS  # (C, H, W)
        self._powers = [0.0] * GROUPS  # the mean of the maps' squares
        self._changes, self._sizes = [0.0] * GROUPS, [0.0] * GROUPS

    def add(self, group: int, maps: torch.Tensor, wrapped: torch.Tensor) -> None:
        """Add inputs of a group.

        Args:
            maps: what the block gives, (B, C, height, width).
            wrapped: what it gives in the wrapped network, of the same inputs.
        """
        channels = torch.linspace(0, maps.shape[1] - 1, min(maps.shape[1], _CHANNELS)).round().long()
        maps, wrapped = (one[:, channels.to(one.device)].float() for one in (maps, wrapped))
        change = maps - wrapped
        self._changes[group] += float(change.abs().mean() * len(maps))
        self._sizes[group] += float(wrapped.abs().mean() * len(maps))
        change = change - change.mean((-2, -1), keepdim=True)
        self._patterns[group] = self._patterns[group] + change.sum(0)
        self._squares[group] = self._squares[group] + change.square().mean(1).sum(0)
        self._maps[group] = self._maps[group] + maps.sum(0)
        self._powers[group] += float(maps.square().mean() * len(maps))
        self.counts[group] += len(maps)

    def power(self, groups: Sequence[int] = range(GROUPS)) -> torch.Tensor:
        """(height, width): the pattern's square, the channels' mean, over the variance that the inputs cause.

        What a pattern of so few inputs has by chance is taken off, so that a place may fall below 0.
        """
        count = sum(self.counts[i] for i in groups)
        mean = _sum(self._patterns, groups) / count
        squares = _sum(self._squares, groups) / count
        chance = (squares - mean.square().mean(0)).clamp(min=0) / (count - 1)  # variance over the count
        return (mean.square().mean(0) - chance) / self._variance(groups)

    def _variance(self, groups: Sequence[int]) -> float:
        """Of a map's value over inputs, the mean over channels and places."""
        count = sum(self.counts[i] for i in groups)
        mean = _sum(self._maps, groups) / count
        between = sum(self._powers[i] for i in groups) / count - float(mean.square().mean())
        return max(between * count / (count - 1), torch.finfo(torch.float32).tiny)

    def snr(self, groups: Sequence[int] = range(GROUPS)) -> float:
        """The position signal: the pattern's power over the variance that the inputs cause."""
        return float(self.power(groups).mean())

    def mae(self, groups: Sequence[int] = range(GROUPS)) -> float:
        """The mean change by the border, over the mean size of the wrapped network's maps; position or not."""
        size = sum(self._sizes[i] for i in groups)
        return sum(self._changes[i] for i in groups) / size if size else 0.0


class RingSums:
    """Sums over inputs of a map's rings, group by group: an error or a gradient's energy by distance to the border."""

    def __init__(self) -> None:
        self.counts = [0] * GROUPS
        self._rings: list[Any] = [0.0] * GROUPS  # (distances,)
        self._totals = [0.0] * GROUPS  # the maps' means
        self._maps: Any = 0.0  # (H, W)

    def add(self, group: int, maps: torch.Tensor) -> None:
        """Add maps (B, height, width) of a group."""
        maps = maps.detach().float()
        self._rings[group] = self._rings[group] + by_distance(maps).sum(0)
        self._totals[group] += float(maps.mean((-2, -1)).sum())
        self._maps = self._maps + maps.sum(0)
        self.counts[group] += len(maps)

    @property
    def map(self) -> torch.Tensor:
        """(height, width): the mean over all inputs."""
        mean: torch.Tensor = self._maps / sum(self.counts)
        return mean

    def total(self) -> Figure:
        """The mean over all places."""
        return figure(lambda groups: sum(self._totals[i] for i in groups) / self._count(groups))

    def rings(self, *, relative: bool = False) -> list[Figure]:
        """The mean at each distance to the border.

        Args:
            relative: over the mean over all places.
        """

        def at(groups: Sequence[int]) -> list[float]:
            over = sum(self._totals[i] for i in groups) if relative else self._count(groups)
            return (_sum(self._rings, groups) / over).tolist()

        left_out = [at([j for j in range(GROUPS) if j != i]) for i in range(GROUPS)]
        return [
            with_interval(value, [one[ring] for one in left_out])
            for ring, value in enumerate(at(range(GROUPS)))
        ]

    def _count(self, groups: Sequence[int]) -> int:
        return sum(self.counts[i] for i in groups)


def _sum(sums: Sequence[Any], groups: Sequence[int]) -> torch.Tensor:
    total: torch.Tensor = sum(sums[i] for i in groups)
    return total
