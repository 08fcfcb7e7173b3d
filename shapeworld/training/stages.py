"""The loop over one stage of a training."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from torch import nn

from .optimizer import Optimizer
from .run import Run
from .schedule import Schedule, StepSchedule, TimeSchedule, cosine
from .settings import Stage

_WARM_UP = 100  # steps
_LOG_EVERY = 50  # steps

# first step -> the module's inputs for that step and all after it, on the run's device
Batches = Callable[[int], Generator[tuple, None, None]]


class StageTraining:
    """The loop over one stage. `module`'s forward gives (loss, figure to log); it ends with EMA weights."""

    def __init__(
        self,
        run: Run,
        name: str,
        module: nn.Module,
        batches: Batches,
        stage: Stage,
        sample: Callable[[Path], None] | None = None,
    ):
        self.run, self.name, self.module, self.batches, self.stage, self.sample = (
            run, name, module, batches, stage, sample,
        )  # fmt: skip
        # It may move to another device, so what holds its parameters or views of them is made afterwards.
        self.wrapped = run.accelerator.prepare(module)
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.ema = EMAModel(self.parameters, decay=run.config.ema)
        self.optimizer = Optimizer(module, rate=stage.lr, muon=stage.muon)
        self.first, self.used = 0, 0.0
        if run.checkpoint.get("stage") == name:
            module.load_state_dict(run.checkpoint["modules"][name])
            self.optimizer.load_state_dict(run.checkpoint["optimizer"])
            self.ema.load_state_dict(run.checkpoint["ema"])
            self.ema.to(run.device)
            self.first, self.used = run.checkpoint["step"], run.checkpoint["used"]

    def __call__(self) -> None:
        schedule = self._schedule()
        config, step = self.run.config, self.first
        saved = sampled = time.monotonic()
        self.wrapped.train()
        done = schedule.done(step)
        with self.run.progress() as bar, contextlib.closing(self.batches(step)) as batches:
            task = bar.add_task(self.name, total=schedule.of, step=step, loss=float("nan"))
            while done < schedule.of:
                loss = self._step(step, next(batches), schedule, done)
                step += 1
                done = schedule.done(step)
                # A tensor: it is read when the bar is drawn anew, so that not every step waits for a GPU.
                bar.update(task, completed=done, step=step, loss=loss)
                if self.run.main and time.monotonic() - saved > 60 * config.checkpoint_minutes:
                    self._save(step, done)
                    saved = time.monotonic()
                if self.sample and self.run.main and time.monotonic() - sampled > 60 * config.sample_minutes:
                    self._draw(step)
                    sampled = time.monotonic()
        self._end(step)

    def _schedule(self) -> Schedule:
        seconds = self.run.seconds(self.stage)
        if seconds is None:
            return StepSchedule(self.run.share(self.stage.images) // self.stage.batch)
        return TimeSchedule(seconds, self.used, self.run.accelerator)

    def _end(self, step: int) -> None:
        if self.sample and self.run.main:
            self._draw(step)
        self.ema.copy_to(self.parameters)
        done = [*self.run.checkpoint["done"], self.name]
        # A copy: later stages train the very same tensors on.
        final = {name: value.clone() for name, value in self.module.state_dict().items()}
        modules = self.run.checkpoint["modules"] | {self.name: final}
        self.run.save(done=done, modules=modules, stage=None, optimizer=None, ema=None)

    def _step(self, step: int, inputs: tuple, schedule: Schedule, done: float) -> torch.Tensor:
        stage, accelerator = self.stage, self.run.accelerator
        rate = cosine(stage.lr, stage.lr_end, done, schedule.of)
        loss, figure = self.wrapped(*inputs)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step(rate * min(1, (step + 1) / _WARM_UP))
        self.ema.step(self.parameters)
        if step % _LOG_EVERY == 0:
            self.run.log(
                stage=self.name,
                step=step,
                **schedule.entry(done),
                loss=loss.item(),
                figure=figure.item(),
                lr=rate,
            )
        return loss.detach()

    def _save(self, step: int, used: float) -> None:
        self.run.save(
            stage=self.name,
            step=step,
            used=used,
            modules=self.run.checkpoint["modules"] | {self.name: self.module.state_dict()},
            optimizer=self.optimizer.state_dict(),
            ema=self.ema.state_dict(),
        )

    def _draw(self, step: int) -> None:
        """Draw samples with the averaged weights, then put the running ones back."""
        assert self.sample is not None
        self.ema.store(self.parameters)
        self.ema.copy_to(self.parameters)
        self.module.eval()
        # A few pictures are not worth compiling for their shape.
        eager = torch.compiler.set_stance("force_eager") if self.run.compiled else contextlib.nullcontext()
        with eager:
            self.sample(self.run.folder / f"{self.name}-{step:06d}.png")
        self.module.train()
        self.ema.restore(self.parameters)
