"""What stands in for a convolution's `_conv_forward`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, TypeGuard

import torch
from torch import nn

from ..maths import decimate
from ..maths.convolve import dilated
from ..maths.filters import Matrices
from ..maths.separable import Pair, along_axes, along_axes_apart
from .call import Running, refuse_foreign_recomputation

CONV_FORWARD = "_conv_forward"  # torch's own method, which is shadowed on the instance


def attach(running: Running, name: str, conv: nn.Conv2d, undo: ExitStack) -> None:
    """Shadow a convolution's `_conv_forward`, which gets the weight after every offload and cast."""
    setattr(conv, CONV_FORWARD, functools.partial(_spread, running.local, running.marks, name, conv))
    undo.callback(delattr, conv, CONV_FORWARD)


def is_ours(forward: Any) -> bool:
    """Whether this module has put it in a `_conv_forward`'s place."""
    return isinstance(forward, functools.partial) and forward.func is _spread


def _spread(
    local: Any,
    marks: Mapping[str, bool],
    name: str,
    conv: nn.Conv2d,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """The convolution as the call that runs has it: plain, or dilated in each branch."""
    values = getattr(local, "values", None)
    if values is None and not torch.compiler.is_compiling():
        refuse_foreign_recomputation(local, marks)
    filtered = values["convolutions"].get(name) if values is not None else None
    if values is None or filtered is None:
        return type(conv)._conv_forward(conv, x, weight, bias)
    rows, strong = values["rows"], values["strong_dilation"]
    strongly = _matrices(values, x, conv.stride[0], weak=False) if filtered else None
    if not values["guidance_rows"]:
        return _branch(conv, x, weight, bias, strong, strongly)
    weak = values["weak_dilation"]
    weakly = _matrices(values, x, conv.stride[0], weak=True) if filtered else None
    if strong == weak and _low_pass(strongly) and _low_pass(weakly):  # then one convolution does for both
        return dilated(conv, along_axes_apart(x, rows, strongly, weakly), weight, bias, strong)
    if strong == weak and strongly is None and weakly is None:
        return dilated(conv, x, weight, bias, strong)
    both = (
        _branch(conv, x[:rows], weight, bias, strong, strongly),
        _branch(conv, x[rows:], weight, bias, weak, weakly),
    )
    return torch.cat(both)


def _branch(
    conv: nn.Conv2d,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    dilation: int,
    matrices: Matrices | None,
) -> torch.Tensor:
    if matrices is None:
        return dilated(conv, x, weight, bias, dilation)
    if _low_pass(matrices):
        return dilated(conv, along_axes(x, matrices), weight, bias, dilation)
    down_rows, down_columns, up_rows, up_columns = matrices
    small = dilated(conv, along_axes(x, (down_rows, down_columns)), weight, bias, 1)
    return along_axes(small, (up_rows, up_columns))


def _low_pass(matrices: Matrices | None) -> TypeGuard[Pair]:
    """Whether it is a `LowPass`; else it is a `Decimation`, or nothing is filtered."""
    return matrices is not None and len(matrices) != decimate.MATRICES


def _matrices(values: Mapping[str, Any], x: torch.Tensor, stride: int, weak: bool) -> Matrices | None:
    """What filters maps x before a convolution of this stride; None: nothing."""
    key = ((x.shape[-2], x.shape[-1]), stride, weak)
    if key not in values["filters"]:  # maps whose size could not be foreseen
        values["filters"][key] = values["build"](key, x.device, x.dtype)
    matrices: Matrices | None = values["filters"][key]
    return matrices
