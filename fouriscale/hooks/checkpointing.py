"""Gradient checkpointing: what is run again in the backward pass belongs to the call that it was part of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from .call import Running

FUNCTION = "_gradient_checkpointing_func"  # where diffusers' blocks keep what they checkpoint with


class Recomputation:
    """Stands in for a block's checkpointing function: each part goes to it together with its call."""

    def __init__(self, running: Running, function: Callable) -> None:
        self.running, self.function = running, function

    def __call__(self, part: Callable, *args: Any, **kwargs: Any) -> Any:
        call = self.running.call

        def of_its_call(*args: Any, **kwargs: Any) -> Any:
            with self.running.within(call):
                return part(*args, **kwargs)

        return self.function(of_its_call, *args, **kwargs)


def follow_checkpointing(unet: UNet2DConditionModel, running: Running, undo: ExitStack) -> None:
    """Stand in for the checkpointing functions that the UNet's blocks have now, where gradients are wanted."""
    if not (torch.is_grad_enabled() and unet.is_gradient_checkpointing):
        return
    for module in unet.modules():
        function = vars(module).get(FUNCTION)
        if function is not None and not isinstance(function, Recomputation):
            setattr(module, FUNCTION, Recomputation(running, function))
            undo.callback(_take_off, module)


def _take_off(module: nn.Module) -> None:
    stand_in = vars(module).get(FUNCTION)
    if isinstance(stand_in, Recomputation):
        setattr(module, FUNCTION, stand_in.function)
