"""One call of a UNet: what it does, made before it begins, and found by its layers, also where they are recomputed.

A layer never asks for the latest call. It reads the call that its thread is in, which ends with the UNet's; and what
gradient checkpointing runs again in the backward pass, in whatever thread, is put back into the call that it is of.

What layers read are plain numbers and tensors in a dict. So torch.compile, which guards what it reads, guards
no object of ours, and nothing that changes within a phase of the run but the tensors' values.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..maths.filters import Filters, GridMatrices, build
from ..maths.grid import DeepGrid
from ..maths.plan import Plan, Sparsity
from ..maths.sizes import Size
from ..maths.wrap import NOWHERE, Axes

COPYING = "call remove_fouriscale before copying or pickling it, and remove_wrap where pictures wrap"

Values = dict[str, Any]
"""What the layers of a call read: `values_of`."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one call of a UNet does.

    Attributes:
        plan: to convolutions and rows; None leaves them as they are.
        sparsity: which tokens see which; None: all see all.
        values: the same for the layers; None where both are None.
        split: whether the unconditional rows go through the UNet before the others.
        outer: the call within which this one was made, of the same UNet.
    """

    plan: Plan | None = None
    sparsity: Sparsity | None = None
    values: Values | None = None
    split: bool = False
    outer: Call | None = None


def values_of(
    plan: Plan | None,
    sparsity: Sparsity | None,
    convolutions: Mapping[str, bool],
    filters: Filters,
    levels: Iterable[int],
    grid: GridMatrices | None,
    keys: Mapping[int, torch.Tensor],
    lent: Mapping[int, torch.Tensor],
    wrap: Axes = NOWHERE,
) -> Values | None:
    """What layers read, as plain numbers and tensors.

    Args:
        convolutions: those that the config names, and whether each is filtered.
        filters: by size, stride and branch.
        levels: those of the UNet that keep their size.
        grid: of the plan's.
        keys: by level, where the tokens lie that all look at.
        lent: by how many rows the caller's are in a part of the call, whose query and key each row has.
        wrap: the axes on which the picture wraps.
    """
    if plan is None and sparsity is None:
        return plain_values(wrap)
    values = plain_values(wrap) or _nothing()
    if plan is not None:
        values |= {
            "convolutions": dict(convolutions),
            "filters": filters,
            "build": functools.partial(build, plan),
            "rows": plan.rows,
            "guidance_rows": plan.guidance_rows,
            "strong_dilation": plan.strong_dilation,
            "weak_dilation": plan.weak_dilation,
            "lent": dict(lent),
            "border": plan.border,
        }
    if plan is not None and plan.grid is not None and grid is not None:
        values["grid"] = _grid_values(plan, plan.grid, grid)
    if sparsity is not None and sparsity.factor:
        values["polyphase"] = _polyphase(sparsity, levels)
    elif sparsity is not None:
        values["keys"] = {n: (math.prod(sparsity.keys(n).size), index) for n, index in keys.items()}
    return values


def plain_values(wrap: Axes) -> Values | None:
    """What the layers of a call read that is plain but for wrapping; None where that is all."""
    return _nothing() | {"wrap": wrap} if any(wrap) else None


def _nothing() -> Values:
    return {
        "convolutions": {},
        "guidance_rows": 0,
        "polyphase": {},
        "keys": {},
        "grid": None,
        "wrap": NOWHERE,
    }


def _polyphase(sparsity: Sparsity, levels: Iterable[int]) -> dict[int, tuple[Size, int]]:
    """By level, what `Grids` is made of; none where a map has no more tokens than a grid."""
    grids = {level: sparsity.grids(level) for level in levels}
    return {n: (one.size, one.factor) for n, one in grids.items() if one and one.each != one.size}


def _grid_values(plan: Plan, grid: DeepGrid, matrices: GridMatrices) -> Values:
    return {
        "level": grid.level,
        "size": grid.size,
        "sizes": {n: grid.small(n) for n in range(grid.level, grid.levels)},
        "onto": matrices.onto,
        "weak": matrices.weak if plan.guidance_rows else None,
        "rows": plan.rows,
        "off": matrices.off,
        "residuals": matrices.residuals,
    }


def halves(call: Call) -> tuple[Call, Call]:
    """A split call as two: of its unconditional rows, and of the others."""
    assert call.plan is not None
    assert call.values is not None
    half = call.plan.rows // 2
    parts = []
    for guidance_rows in (0, call.plan.guidance_rows):
        values = call.values | {"rows": half, "guidance_rows": guidance_rows}
        if values["grid"] is not None:
            weak = values["grid"]["weak"] if guidance_rows else None
            values["grid"] = values["grid"] | {"rows": half, "weak": weak}
        parts.append(replace(call, split=False, values=values))
    return parts[0], parts[1]


class Running:
    """Which call each thread is in.

    Attributes:
        local: of each thread; its `values` are the call's, and missing or None outside of one.
        marks: "recomputable" tells whether a call was made that a backward pass may run again.
    """

    def __init__(self) -> None:
        self.local = threading.local()
        self.marks = {"recomputable": False}

    @property
    def call(self) -> Call | None:
        """The call that this thread is in."""
        return getattr(self.local, "call", None)

    def begin(self, call: Call) -> None:
        if call.values is not None and torch.is_grad_enabled():
            self.marks["recomputable"] = True
        self.local.call, self.local.values = call, call.values

    def end(self) -> None:
        call = self.call
        self._enter(call.outer if call else None)

    @contextlib.contextmanager
    def within(self, call: Call | None) -> Iterator[None]:
        """Inside the block, this thread is in another call."""
        before = self.call
        self._enter(call)
        try:
            yield
        finally:
            self._enter(before)

    def carry(self) -> Callable[[], AbstractContextManager[None]]:
        """What puts a thread into the call that this thread is in now; a `Carrier` for checkpointing."""
        return functools.partial(self.within, self.call)

    def _enter(self, call: Call | None) -> None:
        self.local.call, self.local.values = call, call.values if call else None


def refuse_foreign_recomputation(local: Any, marks: Mapping[str, bool]) -> None:
    """ValueError where a layer is run again by a backward pass and nothing tells of which call it is."""
    outside = getattr(local, "call", None) is None
    if marks["recomputable"] and outside and torch._C._current_graph_task_id() != -1:
        raise ValueError(
            "a layer of the UNet is recomputed in a backward pass and nothing tells for which step: checkpoint "
            "with unet.enable_gradient_checkpointing(), or the whole UNet, or call remove_fouriscale first"
        )
