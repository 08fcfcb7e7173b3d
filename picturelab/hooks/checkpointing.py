"""Gradient checkpointing: a part that the backward pass runs again finds the state that it had the first time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import nn

FUNCTION = "_gradient_checkpointing_func"  # where diffusers' blocks keep what they checkpoint with

Carrier = Callable[[], Callable[[], AbstractContextManager[Any]]]
"""Called where a part is checkpointed; what it returns makes the block that every run of the part is put into."""

_LOCK = threading.Lock()


class _StandIn:
    """What a module checkpoints with while somebody's state is to be carried along: one for all carriers."""

    def __init__(self, function: Callable) -> None:
        self.function, self.carriers = function, dict[Carrier, None]()  # in order

    def __call__(self, part: Callable, *args: Any, **kwargs: Any) -> Any:
        blocks = [carry() for carry in tuple(self.carriers)]

        def with_its_state(*args: Any, **kwargs: Any) -> Any:
            with ExitStack() as stack:
                for block in blocks:
                    stack.enter_context(block())
                return part(*args, **kwargs)

        return self.function(with_its_state, *args, **kwargs)


class CheckpointFollower:
    """Carries one state along to whatever the parts of a model checkpoint.

    Args:
        carry: see `Carrier`; equal carriers are one.
    """

    def __init__(self, carry: Carrier) -> None:
        self._carry = carry
        self._stand_ins: dict[nn.Module, _StandIn] = {}

    def follow(self, model: nn.Module) -> None:
        """Stand in for the functions that the model's parts checkpoint with now, where gradients are wanted.

        To be called before each call of the model: `enable_gradient_checkpointing` sets the functions anew.
        """
        if torch.is_grad_enabled():
            with _LOCK:
                for module in model.modules():
                    self._join(module)

    def leave(self) -> None:
        """Carry nothing any more. A module that nobody follows has its own function back."""
        with _LOCK:
            while self._stand_ins:
                self._part(*self._stand_ins.popitem())

    def _join(self, module: nn.Module) -> None:
        function = vars(module).get(FUNCTION)
        if function is None or (isinstance(function, _StandIn) and self._carry in function.carriers):
            return
        if not isinstance(function, _StandIn):
            function = _StandIn(function)
            setattr(module, FUNCTION, function)
        function.carriers[self._carry] = None
        before = self._stand_ins.pop(module, None)
        if before is not None:  # no longer the outermost
            self._part(module, before)
        self._stand_ins[module] = function

    def _part(self, module: nn.Module, stand_in: _StandIn) -> None:
        stand_in.carriers.pop(self._carry, None)
        if not stand_in.carriers and vars(module).get(FUNCTION) is stand_in:
            setattr(module, FUNCTION, stand_in.function)
