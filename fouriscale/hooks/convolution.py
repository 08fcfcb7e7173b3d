"""What stands in for a convolution's `_conv_forward`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..maths.convolve import dilated
from ..maths.decimate import Decimation
from ..maths.filters import Filter
from ..maths.lowpass import LowPass
from ..maths.plan import Plan
from .place import PlannedWithFilters


@dataclass(frozen=True)
class SpreadConvolution:
    """Stands in for a convolution's `_conv_forward`, which gets the weight after every offload and cast."""

    attachment: PlannedWithFilters
    conv: nn.Conv2d
    filtered: bool

    def __call__(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        plan = self.attachment.plan
        if plan is None:
            return type(self.conv)._conv_forward(self.conv, x, weight, bias)
        strong = self._filter(plan, x, weak=False)
        if not plan.guidance_rows:
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
        low: Filter | None,
    ) -> torch.Tensor:
        if isinstance(low, Decimation):
            return low.interpolated(dilated(self.conv, low.decimated(x), weight, bias, 1))
        return dilated(self.conv, low(x) if low else x, weight, bias, dilation)

    def _filter(self, plan: Plan, x: torch.Tensor, weak: bool) -> Filter | None:
        return self.attachment.filters.filter(plan, x, self.conv.stride[0], weak) if self.filtered else None
