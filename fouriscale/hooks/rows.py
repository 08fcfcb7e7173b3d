"""Picking rows out of the arguments of a UNet call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


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
