"""The pipeline that a worker has loaded: one at a time, with its text encoders or without."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from accelerate.utils.memory import clear_device_cache

from ..hooks.text_encoders import let_go
from ..pipeline import Pipeline
from .contents import check_contents
from .instruments import instrument
from .jobs import Job


class LoadedPipeline:
    """Hands out the pipeline of jobs; `acquire` is called by one thread, in the order of units.

    Args:
        on_change: called before the text encoders or the whole pipeline go, so that nobody keeps what is theirs.

    Attributes:
        let_go: the pipeline's text encoders are gone.
    """

    def __init__(self, device: str, dtype: str, on_change: Callable[[], None]) -> None:
        self._device, self._dtype, self._on_change = device, dtype, on_change
        self._pipe: tuple[tuple[str, ...], Pipeline] | None = None
        self._users, self._change = 0, threading.Condition()  # units that are being made with it
        self._holds = False  # its text encoders, whatever is asked for
        self.let_go = False

    def acquire(self, job: Job, contents: Mapping[str, str], holds: bool) -> Pipeline:
        """The job's pipeline. Another one is dropped first, when nobody samples with it any more.

        Args:
            holds: with its text encoders; else they are let go.

        Raises:
            ContentChangedError: the model is not the one that was checked.
        """
        wanted = (job.instrument, job.model, (job.preset or "") if job.model.endswith(".safetensors") else "")
        with self._change:
            known = self._pipe is not None and self._pipe[0] == wanted
            self._holds = self._holds and known
            if not known or (holds and self.let_go):
                self._change.wait_for(lambda: not self._users)
                self._pipe, self.let_go = None, False
                self._forget()
                pipe = instrument(job.instrument).load(job, self._device, self._dtype)
                # Before anything is encoded with it, which would outlive the run.
                check_contents({name: state for name, state in contents.items() if name == job.model})
                pipe.set_progress_bar_config(disable=True)
                self._pipe = wanted, pipe
            assert self._pipe is not None
            if not (holds or self._holds or self.let_go):
                self._change.wait_for(lambda: not self._users)
                let_go(self._pipe[1])
                self.let_go = True
                self._forget()
            self._users += 1
            return self._pipe[1]

    def again(self, pipe: Pipeline, job: Job, contents: Mapping[str, str]) -> Pipeline:
        """The pipeline with its text encoders, which stay as long as it does: a text was missing without them.

        Args:
            pipe: the one in hand, which is released.
        """
        self.release(pipe)
        self._holds = True
        return self.acquire(job, contents, holds=True)

    def release(self, pipe: Pipeline | None) -> None:
        """Whoever acquired a pipeline has done with it."""
        if pipe is not None:
            with self._change:
                self._users -= 1
                self._change.notify()

    def _forget(self) -> None:
        self._on_change()
        clear_device_cache(garbage_collection=True)
