"""Which pipeline's run a thread is in, read off its call stack, and what belongs to that run."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Generic, TypeVar

import torch

from picturelab.pipeline import Pipeline

State = TypeVar("State")
# torch's `no_grad` stands between a pipeline's `__call__` and whoever calls it.
_BETWEEN = "decorate_context"


@dataclass(frozen=True)
class PipelineCall:
    """One run of a pipeline.

    Attributes:
        pipe: the pipeline.
        frame: of its `__call__`; as long as somebody holds it, no other run has the same.
    """

    pipe: Any
    frame: FrameType


def innermost_call() -> PipelineCall | None:
    """The pipeline's run that this thread is in; None: in none.

    Several pipelines may share a denoiser, and one may run inside another's callback. Only the call
    stack tells which of them is running.
    """
    return next(_calls(sys._getframe(1)), None)


def _calls(start: FrameType) -> Iterator[PipelineCall]:
    """All runs of pipelines that this thread is in, the innermost first."""
    frame: FrameType | None = start
    while frame is not None:
        pipe = _pipeline_of(frame)
        if pipe is not None:
            outer = _calling(frame)
            while outer is not None and _pipeline_of(outer) is pipe:  # a subclass that calls its parent
                frame, outer = outer, _calling(outer)
            yield PipelineCall(pipe, frame)
        frame = frame.f_back


def _calling(frame: FrameType) -> FrameType | None:
    caller = frame.f_back
    while caller is not None and caller.f_code.co_name == _BETWEEN:
        caller = caller.f_back
    return caller


def _pipeline_of(frame: FrameType) -> Any:
    """The pipeline whose `__call__` a frame is; None: it is none."""
    if frame.f_code.co_name != "__call__":
        return None
    caller = frame.f_locals.get(frame.f_code.co_varnames[0]) if frame.f_code.co_argcount else None
    is_one = not isinstance(caller, torch.nn.Module) and hasattr(caller, "encode_prompt")
    return caller if is_one else None


class StateOfRuns(Generic[State]):
    """One state for each run of a pipeline, found by whatever is called inside that run.

    It goes when its run has ended, however that was, with the thread's next look. Until then the frame of the
    run that has ended is held, and with it the run's latents and pictures.
    """

    def __init__(self, pipe: Pipeline, make: Callable[[], State]) -> None:
        self._pipe, self._make = pipe, make
        self._threads = threading.local()

    def here(self) -> State | None:
        """The state of the pipeline's run that this thread is in; None: in no run, or in another pipeline's."""
        calls = list(_calls(sys._getframe(1)))
        running = {call.frame for call in calls}
        states: dict[FrameType, State] = getattr(self._threads, "states", {})
        self._threads.states = states = {f: state for f, state in states.items() if f in running}
        if not calls or calls[0].pipe is not self._pipe:
            return None
        if calls[0].frame not in states:
            states[calls[0].frame] = self._make()
        return states[calls[0].frame]
