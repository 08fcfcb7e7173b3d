"""What stands in for a convolution's `_conv_forward`, and the rows lent to the guidance branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from .convolve import dilated
from .lowpass import LowPass
from .plan import Plan


class Planned(Protocol):
    """Whatever knows what the UNet call in flight does."""

    @property
    def plan(self) -> Plan | None: ...


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
        strong = self._low_pass(plan, x, weak=False)
        if not plan.lent:
            return dilated(self.conv, strong(x) if strong else x, weight, bias, plan.strong_dilation)
        weak = self._low_pass(plan, x, weak=True)
        together = plan.strong_dilation == plan.weak_dilation
        if together and not (strong or weak):
            return dilated(self.conv, x, weight, bias, plan.strong_dilation)
        rows, lent = x[: plan.rows], x[plan.rows :]
        rows, lent = strong(rows) if strong else rows, weak(lent) if weak else lent
        if together:
            return dilated(self.conv, torch.cat([rows, lent]), weight, bias, plan.strong_dilation)
        rows = dilated(self.conv, rows, weight, bias, plan.strong_dilation)
        return torch.cat([rows, dilated(self.conv, lent, weight, bias, plan.weak_dilation)])

    def _low_pass(self, plan: Plan, x: torch.Tensor, weak: bool) -> LowPass | None:
        return plan.low_pass(x, self.conv.stride[0], weak) if self.filtered else None


def with_lent_rows(value: Any, rows: int, lent: int) -> Any:
    """Append the last `lent` rows once more to every tensor batched like the sample, however nested."""
    if isinstance(value, torch.Tensor):
        return torch.cat([value, value[-lent:]]) if value.ndim and len(value) == rows else value
    if isinstance(value, (list, tuple)):
        return type(value)(with_lent_rows(item, rows, lent) for item in value)
    if isinstance(value, dict):
        # IP-Adapter's masks hold one entry an adapter in their first dimension, not one a row.
        return {k: v if k == "ip_adapter_masks" else with_lent_rows(v, rows, lent) for k, v in value.items()}
    return value
