"""AdamW and Muon as one optimiser of a module's parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_THINNEST_MATRIX = 32


class Optimizer:
    """AdamW, with Muon for the matrices where a stage says so.

    Shares its parameters' storage: one made before its module is moved to another device trains what was left there.
    """

    def __init__(self, module: nn.Module, *, rate: float, muon: bool):
        """`rate`: of the first step; `muon`: whether the matrices are trained by it."""
        self._matrices = [weight for weight in _matrices(module) if muon]
        ids = {id(weight) for weight in self._matrices}
        rest = [p for p in module.parameters() if p.requires_grad and id(p) not in ids]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.99), weight_decay=0.01)
        ]
        self._views = [nn.Parameter(_as_matrix(weight.data, weight)) for weight in self._matrices]
        if self._views:
            self._optimizers.append(
                # With this adjustment the learning rate means what it means for AdamW.
                torch.optim.Muon(self._views, rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
            )

    def step(self, rate: float) -> None:
        """One step at this learning rate, and the gradients let go."""
        for weight, view in zip(self._matrices, self._views, strict=True):
            assert weight.grad is not None
            view.grad = _as_matrix(weight.grad, weight)
            weight.grad = None
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()

    def state_dict(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer in self._optimizers]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        for optimizer, part in zip(self._optimizers, state, strict=True):
            optimizer.load_state_dict(part)


def _matrices(module: nn.Module) -> list[torch.Tensor]:
    """Weights that Muon is for: those of linear and convolution layers, but of the thin ones at either end."""
    layers = (m for m in module.modules() if isinstance(m, (nn.Linear, nn.Conv2d)))
    weights = {id(m.weight): m.weight for m in layers if m.weight.requires_grad}  # each once
    return [
        weight for weight in weights.values() if min(_as_matrix(weight, weight).shape) >= _THINNEST_MATRIX
    ]


def _as_matrix(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A weight or its gradient as (out, in x kernel), the columns as they lie in the weight's memory."""
    if weight.ndim == 4 and not weight.is_contiguous():  # channels_last
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(len(weight), -1)
