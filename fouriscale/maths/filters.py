"""The filters of a run, each built once. Pure."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from .decimate import Decimation, closes
from .grid import DeepGrid, resamplers
from .lowpass import LowPass, Window
from .plan import Plan, Sparsity, padded_size
from .separable import Pair
from .sizes import Size, size_at

Matrices = tuple[torch.Tensor, ...]
"""A filter's tensors: two of a `LowPass`, or four of a `Decimation`."""

Key = tuple[Size, int, bool]
"""Size of the maps, stride of the convolution, whether of the guidance branch."""

Filters = dict[Key, Matrices | None]
"""Those of one dilation in a run; None where one is the identity."""


@dataclass(frozen=True)
class GridMatrices:
    """What resamples maps for a deep grid.

    Attributes:
        onto: at the first deep level.
        weak: the same for the guidance branch's rows, by a box filter.
        off: what the last deep upsampler gives.
        residuals: by the size of maps at the deep levels, onto the grid.
    """

    onto: Pair
    weak: Pair
    off: Pair
    residuals: dict[Size, Pair]


# What is made in inference mode is no good for training, and what is made here is kept.
_USABLE = functools.partial(torch.inference_mode, False)
_RUNS = 4  # that are remembered: pipelines may take turns on one UNet
_PARTS = 32  # of runs, likewise: grids, and tokens that are picked


class FilterCache:
    """Filters of the latest runs, kept from image to image. Several threads may ask at once.

    Attributes:
        grid, keys, lent: `build_grid`, `build_keys` and `build_lent`, whose latest results are kept too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[tuple, dict[tuple, Filters]] = OrderedDict()
        self.grid = functools.lru_cache(_PARTS)(build_grid)
        self.keys = functools.lru_cache(_PARTS)(build_keys)
        self.lent = functools.lru_cache(_PARTS)(build_lent)

    def filters(
        self,
        plan: Plan,
        run: tuple,
        places: Iterable[tuple[int, int]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> Filters:
        """What a call needs, in both branches; built where it is not there yet.

        Ahead of the UNet rather than where they are used, so that a compiled UNet finds tensors and
        does not depend on how they came about.

        Args:
            plan: of the call.
            run: what the filters depend on besides the dilation.
            places: (level, stride) of the filtered convolutions.
            device, dtype: of the sample.
        """
        with self._lock:
            by_dilation = self._runs.setdefault(run, {})
            self._runs.move_to_end(run)
            while len(self._runs) > _RUNS:
                self._runs.popitem(last=False)
            filters = by_dilation.setdefault((plan.dilation, plan.decimated), {})
            for level, stride in places:
                for weak in (False, True) if plan.guidance_rows else (False,):
                    key = size_at(plan.latent_size, level), stride, weak
                    if key not in filters:
                        with _USABLE():
                            filters[key] = build(plan, key, device, dtype)
            return filters


@_USABLE()
def build_grid(grid: DeepGrid, device: torch.device, dtype: torch.dtype) -> GridMatrices:
    """What resamples maps for a deep grid, in the pairs that `separable.along_axes` takes."""

    def pair(source: Size, target: Size, kind: str = grid.resampling) -> Pair:
        return resamplers(source, target, kind, device, dtype, grid.wrap)

    full = grid.full(grid.level)
    return GridMatrices(
        onto=pair(full, grid.size),
        weak=pair(full, grid.size, "area"),
        off=pair(*grid.leaving),
        residuals={
            grid.full(level): pair(grid.full(level), grid.small(level))
            for level in range(grid.level, grid.levels)
        },
    )


@_USABLE()
def build_keys(sparsity: Sparsity, levels: range, device: torch.device) -> dict[int, torch.Tensor]:
    """{level: where the tokens lie that all look at}, for the levels where those are not all."""
    index = {level: sparsity.keys(level).index(device) for level in levels}
    return {level: places for level, places in index.items() if places is not None}


@_USABLE()
def build_lent(rows: int, guidance_rows: int, device: torch.device) -> torch.Tensor:
    """Whose query and key each row has: its own, and those of the guidance branch the last conditional rows'."""
    return torch.tensor([*range(rows), *range(rows - guidance_rows, rows)], device=device)


def build(plan: Plan, key: Key, device: torch.device, dtype: torch.dtype) -> Matrices | None:
    """One filter of a call; None where it is the identity."""
    size, stride, weak = key
    if plan.decimated and not weak and closes(size, plan.strong_dilation, stride, plan.wrap):
        return Decimation.build(size, plan.strong_dilation, stride, device, dtype, plan.wrap).matrices
    padded = padded_size(
        size,
        latent_size=plan.latent_size,
        training_size=plan.training_size,
        factor=plan.factor,
        wrap=plan.wrap,
    )
    window = Window(max(plan.dilation / stride, 1.0), plan.floor, weak)
    low = LowPass.build(size, padded, window, device, dtype)
    return None if low is None else low.matrices
