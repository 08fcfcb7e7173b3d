"""What the denoiser's call that is running is about, told to the layers of that call and of no other."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Generic, TypeVar

import torch

from picturelab.hooks.checkpointing import CheckpointFollower

State = TypeVar("State")


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
        checkpoints = CheckpointFollower(self._carry)

        def enter(module: torch.nn.Module, args: tuple) -> None:
            checkpoints.follow(module)

        def leave(module: torch.nn.Module, args: tuple, output: Any) -> None:
            if self._states():  # empty where a hook failed before ours
                self._states().pop()

        with ExitStack() as undo:
            undo.callback(checkpoints.leave)
            undo.callback(denoiser.register_forward_pre_hook(enter).remove)
            undo.callback(denoiser.register_forward_hook(leave, always_call=True).remove)
            yield

    def _carry(self) -> Callable[[], AbstractContextManager[None]]:
        """What puts a thread into the state that this thread has now."""
        return functools.partial(self._within, self.state)

    @contextmanager
    def _within(self, state: State | None) -> Iterator[None]:
        self.begin(state)
        try:
            yield
        finally:
            self._states().pop()
