"""What stands in for a convolution's `_conv_forward`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import nn

from ..maths import decimate
from ..maths.convolve import dilated
from ..maths.filters import Matrices
from ..maths.separable import Pair, along_axes, along_axes_apart
from ..maths.wrap import NOWHERE, Axes
from .call import Running, refuse_foreign_recomputation

CONV_FORWARD = "_conv_forward"  # torch's own method, which is shadowed on the instance


def attach(
    running: Running, name: str, conv: nn.Conv2d, undo: ExitStack, padded_outside: bool = False
) -> None:
    """Shadow a convolution's `_conv_forward`, which gets the weight after every offload and cast.

    Args:
        padded_outside: whether its maps come with a row and a column of zeros at their ends, as `Downsample2D` without
            padding of its own adds them; they are what stands at the other end where the picture wraps.
    """
    forward = functools.partial(_spread, running.local, running.marks, name, conv)
    setattr(
        conv, CONV_FORWARD, functools.partial(_closed, forward, running.local) if padded_outside else forward
    )
    undo.callback(delattr, conv, CONV_FORWARD)


def is_ours(forward: Any) -> bool:
    """Whether this module has put it in a `_conv_forward`'s place."""
    return isinstance(forward, functools.partial) and forward.func in (_spread, _closed)


def refuse_patched(convolutions: Mapping[str, nn.Conv2d]) -> None:
    """ValueError if a convolution is patched by anything else."""
    for name, conv in convolutions.items():
        forward = vars(conv).get(CONV_FORWARD)
        if forward is not None and not is_ours(forward):
            raise ValueError(f"the convolution {name} is already patched by {forward!r}; take that off first")


def _closed(
    spread: Any, local: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """The convolution of maps whose last row and column are padding, on the axes that wrap the first ones."""
    values = getattr(local, "values", None)
    height, width = values["wrap"] if values is not None else NOWHERE
    if height:
        x = torch.cat([x[..., :-1, :], x[..., :1, :]], -2)
    if width:
        x = torch.cat([x[..., :-1], x[..., :1]], -1)
    output: torch.Tensor = spread(x, weight, bias)
    return output


def _spread(
    local: Any,
    marks: Mapping[str, bool],
    name: str,
    conv: nn.Conv2d,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """The convolution as the call that runs has it: plain, wrapped, or dilated in each branch."""
    values = getattr(local, "values", None)
    if values is None and not torch.compiler.is_compiling():
        refuse_foreign_recomputation(local, marks)
    if values is None:
        return type(conv)._conv_forward(conv, x, weight, bias)
    filtered = values["convolutions"].get(name)
    if filtered is None:
        if not any(values["wrap"]):
            return type(conv)._conv_forward(conv, x, weight, bias)
        return dilated(conv, x, weight, bias, 1, values["wrap"])
    rows, strong = values["rows"], values["strong_dilation"]
    taps = _Taps(conv, weight, bias, values["wrap"], values["border"])
    strongly = _matrices(values, x, conv.stride[0], weak=False) if filtered else None
    if not values["guidance_rows"]:
        return _branch(taps, x, strong, strongly)
    weak = values["weak_dilation"]
    weakly = _matrices(values, x, conv.stride[0], weak=True) if filtered else None
    if strong == weak and _low_pass(strongly) and _low_pass(weakly):  # then one convolution does for both
        return taps.dilated(along_axes_apart(x, rows, strongly, weakly), strong)
    if strong == weak and strongly is None and weakly is None:
        return taps.dilated(x, strong)
    both = (_branch(taps, x[:rows], strong, strongly), _branch(taps, x[rows:], weak, weakly))
    return torch.cat(both)


class _Taps(NamedTuple):
    """A convolution as one call has it, but for the dilation."""

    conv: nn.Conv2d
    weight: torch.Tensor
    bias: torch.Tensor | None
    wrap: Axes
    border: str

    def dilated(self, x: torch.Tensor, dilation: int) -> torch.Tensor:
        return dilated(self.conv, x, self.weight, self.bias, dilation, self.wrap, self.border)


def _branch(taps: _Taps, x: torch.Tensor, dilation: int, matrices: Matrices | None) -> torch.Tensor:
    if matrices is None:
        return taps.dilated(x, dilation)
    if _low_pass(matrices):
        return taps.dilated(along_axes(x, matrices), dilation)
    down_rows, down_columns, up_rows, up_columns = matrices
    small = taps.dilated(along_axes(x, (down_rows, down_columns)), 1)
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
