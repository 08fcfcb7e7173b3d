"""What stands in for a convolution's `_conv_forward`, and the picking of rows from arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..maths.convolve import dilated
from ..maths.decimate import Decimation
from ..maths.lowpass import LowPass
from ..maths.plan import Plan, Planned


@dataclass(frozen=True)
class SpreadConvolution:
    """Stands in for a convolution's `_conv_forward`, which gets the weight after every offload and cast."""

    attachment: Planned
    conv: nn.Conv2d
    filtered: bool

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        plan = self.attachment.plan
        if plan is None:
            return type(self.conv)._conv_forward(self.conv, x, weight, bias)
        strong = self._filter(plan, x, weak=False)
        if not plan.lent:
            return self._branch(x, weight, bias, plan.strong_dilation, strong)
        weak = self._filter(plan, x, weak=True)
        decimated = isinstance(strong, Decimation) or isinstance(weak, Decimation)
        if plan.strong_dilation == plan.weak_dilation and not decimated:
            if strong or weak:
                parts = (x[: plan.rows], strong), (x[plan.rows :], weak)
                x = torch.cat([low(part) if isinstance(low, LowPass) else part for part, low in parts])
            return dilated(self.conv, x, weight, bias, plan.strong_dilation)
        rows = self._branch(x[: plan.rows], weight, bias, plan.strong_dilation, strong)
        return torch.cat([rows, self._branch(x[plan.rows :], weight, bias, plan.weak_dilation, weak)])

    def _branch(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        dilation: int,
        low: LowPass | Decimation | None,
    ) -> torch.Tensor:
        if isinstance(low, Decimation):
            return low.interpolated(dilated(self.conv, low.decimated(x), weight, bias, 1))
        return dilated(self.conv, low(x) if low else x, weight, bias, dilation)

    def _filter(self, plan: Plan, x: torch.Tensor, weak: bool) -> LowPass | Decimation | None:
        return plan.filter(x, self.conv.stride[0], weak) if self.filtered else None


def pick_rows(value: Any, rows: int, pick: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Apply `pick` to every tensor batched like a sample of so many rows, however nested."""
    if isinstance(value, torch.Tensor):
        return pick(value) if value.ndim and len(value) == rows else value
    if isinstance(value, (list, tuple)):
        return type(value)(pick_rows(item, rows, pick) for item in value)
    if isinstance(value, dict):
        # IP-Adapter's masks hold one entry an adapter in their first dimension, not one a row.
        return {k: v if k == "ip_adapter_masks" else pick_rows(v, rows, pick) for k, v in value.items()}
    return value
