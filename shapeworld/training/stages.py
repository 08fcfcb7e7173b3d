"""What every training needs: settings, a run's folder with log and checkpoint, and the loop."""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from diffusers.training_utils import EMAModel
from pydantic import BaseModel, ConfigDict
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from .optimizer import Optimizer

_WARM_UP = 100  # steps
_LOG_EVERY = 50  # steps

# (random numbers, generator for tensors) -> the module's inputs, on the CPU
Batch = Callable[[random.Random, torch.Generator], tuple]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Stage(_Settings):
    """One stretch of training; the learning rate falls from `lr` to `lr_end` along half a cosine.

    `muon`: whether the matrices are trained by Muon, which on the denoiser reached in 260 steps what AdamW
    had not reached in 348, the same time on this CPU; everything else is always trained by AdamW.
    """

    images: int  # seen in all, by all processes together
    batch: int  # a process
    lr: float
    lr_end: float
    muon: bool = False


class AutoencoderStage(Stage):
    batch: int = 8
    lr: float = 1.5e-3
    lr_end: float = 3e-5
    kl: float = 3e-4


class DenoiserStage(Stage):
    pixels: int
    scenes: int  # distinct ones, encoded once at the start of the stage
    batch: int = 16
    muon: bool = True
    lr: float = 1e-3
    lr_end: float = 1e-4
    noise_mean: float = 0.0  # timesteps are 1000 x sigmoid(normal(noise_mean, noise_std))
    noise_std: float = 1.0


class ContrastStage(Stage):
    batch: int = 128
    lr: float = 1e-3
    lr_end: float = 1e-5
    noise: float = 0.1  # most that is added to a picture in [0, 1], standard deviation


class TrainingConfig(_Settings):
    """One training.

    `model`: "unet" trains the autoencoder, the text encoder and the UNet; with `frozen_encoder` the text
    encoder is the shipped CLIP's and stays as it is. "joint" trains a joint-attention transformer on the
    shipped autoencoder and CLIP. "clip" trains that CLIP. `name` is one of `models.SAMPLING`, or "clip".
    """

    name: str
    model: Literal["unet", "joint", "clip"] = "unet"
    frozen_encoder: bool = False
    autoencoder: AutoencoderStage | None = None  # of "unet"; left out, it needs weights to go on from
    contrast: ContrastStage | None = None  # of "clip"
    stages: list[DenoiserStage] = []
    seed: int = 0
    empty_captions: float = 0.1
    ema: float = 0.999
    bf16: bool = False  # products in bfloat16: a fifth faster where the processor has them (avx512_bf16, amx)
    checkpoint_minutes: float = 3
    sample_minutes: float = 5


class Run:
    """One training run: its folder, log, checkpoint and random numbers."""

    def __init__(self, config: TrainingConfig, folder: Path, init_from: str | None = None):
        """`init_from`: which weights it goes on from, if any.

        Raises:
            ValueError: the folder holds a run of other settings, weights or number of processes.
        """
        self.config, self.folder = config, folder
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision="bf16" if config.bf16 else "no"
        )
        self.main = self.accelerator.is_main_process
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "checkpoint.pt"
        processes = self.accelerator.num_processes
        origin = config.model_dump() | {"init_from": init_from, "processes": processes}
        self.checkpoint: dict[str, Any] = {"done": [], "modules": {}, "origin": origin}
        if self._file.exists():
            # Wherever it was saved, it may go on elsewhere.
            self.checkpoint = torch.load(self._file, map_location="cpu", weights_only=True)
            before = self.checkpoint["origin"]
            changed = sorted(key for key in origin if origin[key] != before.get(key))
            if changed:
                raise ValueError(
                    f"{folder} holds a run with another {', '.join(changed)}: give another --run-folder to begin "
                    f"anew, or go on with {', '.join(f'{key}={before.get(key)!r}' for key in changed)}"
                )

    @property
    def device(self) -> torch.device:
        """Where its modules are trained."""
        device: torch.device = self.accelerator.device
        return device

    def log(self, **values: object) -> None:
        if self.main:
            with open(self.folder / "log.jsonl", "a") as file:
                file.write(json.dumps({"time": round(time.time()), **values}) + "\n")

    def rng(self, *key: object) -> random.Random:
        """Random numbers for one step of one process: the same ones after a resume."""
        return random.Random("/".join(map(str, (self.config.seed, *key, self.accelerator.process_index))))

    def share(self, total: int) -> int:
        """This process's part of `total`."""
        return math.ceil(total / self.accelerator.num_processes)

    def save(self, **state: object) -> None:
        """Keep this beside what earlier stages kept; a kill leaves the old file or the new one."""
        self.checkpoint |= state
        if self.main:
            partial = self._file.with_suffix(".partial")
            torch.save(self.checkpoint, partial)
            os.replace(partial, self._file)

    def restore_finished(self, name: str, module: nn.Module) -> bool:
        """Load `module` as stage `name` left it, on the run's device; False if that stage has not ended yet."""
        if name in self.checkpoint["done"]:
            module.load_state_dict(self.checkpoint["modules"][name])
            module.to(self.device)
            return True
        return False

    def progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}, loss {task.fields[loss]:.4f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            disable=not self.main,
        )


class StageTraining:
    """The loop over one stage. `module`'s forward gives (loss, figure to log); it ends with EMA weights."""

    def __init__(
        self,
        run: Run,
        name: str,
        module: nn.Module,
        batch: Batch,
        stage: Stage,
        sample: Callable[[Path], None] | None = None,
    ):
        self.run, self.name, self.module, self.batch, self.stage, self.sample = (
            run, name, module, batch, stage, sample,
        )  # fmt: skip
        self.steps = run.share(stage.images) // stage.batch
        # It may move to another device, so what holds its parameters or views of them is made afterwards.
        self.wrapped = run.accelerator.prepare(module)
        self.parameters = [p for p in module.parameters() if p.requires_grad]
        self.ema = EMAModel(self.parameters, decay=run.config.ema)
        self.optimizer = Optimizer(module, rate=stage.lr, muon=stage.muon)
        self.first = 0
        if run.checkpoint.get("stage") == name:
            module.load_state_dict(run.checkpoint["modules"][name])
            self.optimizer.load_state_dict(run.checkpoint["optimizer"])
            self.ema.load_state_dict(run.checkpoint["ema"])
            self.ema.to(run.device)
            self.first = run.checkpoint["step"]

    def __call__(self) -> None:
        saved = sampled = time.time()
        config = self.run.config
        self.wrapped.train()
        with self.run.progress() as bar:
            task = bar.add_task(self.name, total=self.steps, completed=self.first, loss=float("nan"))
            for step in range(self.first, self.steps):
                loss = self._step(step)
                bar.update(task, advance=1, loss=loss)
                if self.run.main and time.time() - saved > 60 * config.checkpoint_minutes:
                    self._save(step + 1)
                    saved = time.time()
                if self.sample and self.run.main and time.time() - sampled > 60 * config.sample_minutes:
                    self._draw(step + 1)
                    sampled = time.time()
        if self.sample and self.run.main:
            self._draw(self.steps)
        self.ema.copy_to(self.parameters)
        done = [*self.run.checkpoint["done"], self.name]
        # A copy: later stages train the very same tensors on.
        final = {name: value.clone() for name, value in self.module.state_dict().items()}
        modules = self.run.checkpoint["modules"] | {self.name: final}
        self.run.save(done=done, modules=modules, stage=None, optimizer=None, ema=None)

    def _step(self, step: int) -> float:
        stage, accelerator = self.stage, self.run.accelerator
        rate = stage.lr_end + (stage.lr - stage.lr_end) * (1 + math.cos(math.pi * step / self.steps)) / 2
        rng = self.run.rng(self.name, step)
        batch = self.batch(rng, torch.Generator().manual_seed(rng.getrandbits(60)))
        loss, figure = self.wrapped(*send_to_device(batch, self.run.device))
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step(rate * min(1, (step + 1) / _WARM_UP))
        self.ema.step(self.parameters)
        if step % _LOG_EVERY == 0:
            self.run.log(
                stage=self.name, step=step, of=self.steps, loss=loss.item(), figure=figure.item(), lr=rate
            )
        return loss.item()

    def _save(self, step: int) -> None:
        self.run.save(
            stage=self.name,
            step=step,
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
        self.sample(self.run.folder / f"{self.name}-{step:06d}.png")
        self.module.train()
        self.ema.restore(self.parameters)
