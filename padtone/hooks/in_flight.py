"""What the denoiser's call that is running is about, told to the layers of that call and of no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Generic, TypeVar

import torch

State = TypeVar("State")
_CHECKPOINT = "_gradient_checkpointing_func"  # diffusers' modules hand their blocks to it


class InFlight(Generic[State]):
    """The state of the call that a thread is in. A block that is recomputed finds that of its own call.

    Gradient checkpointing runs blocks a second time, when their call is long over, on a GPU in a thread of
    its own. So what is checkpointed takes the state along.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    @property
    def state(self) -> State | None:
        """None: the call is to be left alone, or this thread is in no call."""
        states = self._states()
        return states[-1] if states else None

    @property
    def outside(self) -> bool:
        """This thread is in no call of the denoiser."""
        return not self._states()

    def begin(self, state: State | None) -> None:
        """A call begins; its end is noted by `following`, so every call must be told of."""
        self._states().append(state)

    def settle(self, state: State) -> None:
        """What the call that has begun is about."""
        self._states()[-1] = state

    def _states(self) -> list[State | None]:
        if not hasattr(self._local, "states"):
            self._local.states = []
        states: list[State | None] = self._local.states
        return states

    @contextmanager
    def following(self, denoiser: torch.nn.Module) -> Iterator[None]:
        """Inside the block, a call of the denoiser forgets its state at its end, and recomputation finds it.

        To be entered before the hook that calls `begin` is put on.
        """

        def enter(module: torch.nn.Module, args: tuple) -> None:
            if torch.is_grad_enabled():
                for part in module.modules():
                    self._take_along(part, undo)

        def leave(module: torch.nn.Module, args: tuple, output: Any) -> None:
            if self._states():  # empty where a hook failed before ours
                self._states().pop()

        with ExitStack() as undo:
            undo.callback(denoiser.register_forward_pre_hook(enter).remove)
            undo.callback(denoiser.register_forward_hook(leave, always_call=True).remove)
            yield

    def _take_along(self, part: torch.nn.Module, undo: ExitStack) -> None:
        checkpoint = vars(part).get(_CHECKPOINT)
        carried: frozenset[int] = getattr(checkpoint, "carries", frozenset())
        if checkpoint is None or id(self) in carried:
            return

        def carrying(function: Callable, *args: Any) -> Any:
            return checkpoint(self._under(self.state, function), *args)

        def give_back() -> None:
            if vars(part).get(_CHECKPOINT) is carrying:
                setattr(part, _CHECKPOINT, checkpoint)

        carrying.carries = carried | {id(self)}  # type: ignore[attr-defined]
        setattr(part, _CHECKPOINT, carrying)
        undo.callback(give_back)

    def _under(self, state: State | None, function: Callable) -> Callable:
        def run(*args: Any) -> Any:
            self.begin(state)
            try:
                return function(*args)
            finally:
                self._states().pop()

        return run
