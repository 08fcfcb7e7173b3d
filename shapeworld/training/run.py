"""One training run: where it runs, its folder with log and checkpoint, its random numbers."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from .rendering import RandomNumbers
from .settings import Stage, TrainingConfig

_MOST_WORKERS = 16  # by default; each holds some 160 MB


class Run:
    """One training run: its folder, log, checkpoint and random numbers."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        init_from: str | None = None,
        *,
        minutes: float | None = None,
        compiled: bool = False,
        workers: int | None = None,
    ):
        """
        Args:
            init_from: which weights it goes on from, if any.
            minutes: how long its stages train, in place of their images; each its part, as their images are.
            compiled: whether its denoiser is compiled.
            workers: how many processes draw pictures for each process that trains; None takes the cores that
                training leaves free.

        Raises:
            ValueError: a stage has not one batch for each process, or the folder holds a run of other settings,
                weights, switches or number of processes.
        """
        self.config, self.folder, self.minutes, self.compiled = config, folder, minutes, compiled
        self.accelerator = Accelerator(
            cpu=not torch.cuda.is_available(), mixed_precision="bf16" if config.bf16 else "no"
        )
        if config.tf32 and self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        self.workers = self._free_cores() if workers is None else workers
        self.main = self.accelerator.is_main_process
        stages = config.trained(init_from)
        self._images = sum(stage.images for stage in stages)
        for stage in stages:
            if minutes is None and self.share(stage.images) < stage.batch:
                raise ValueError(
                    f"images={stage.images} are less than one batch of {stage.batch} for each of "
                    f"{self.accelerator.num_processes} processes: give a stage more images or a smaller batch"
                )
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "checkpoint.pt"
        origin = config.model_dump() | {
            "init_from": init_from,
            "processes": self.accelerator.num_processes,
            "minutes": minutes,
            "compile": compiled,
        }
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
        # Side by side on CPUs each has a number, which `torch.load` does not take.
        return torch.device("cpu") if device.type == "cpu" else device

    def _free_cores(self) -> int:
        """Cores that this process may take for workers: on a GPU training itself takes one, else one a thread."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        taken = torch.get_num_threads() if self.device.type == "cpu" else 1
        return min(max(cores // self.accelerator.num_processes - taken, 0), _MOST_WORKERS)

    def log(self, **values: object) -> None:
        if self.main:
            with open(self.folder / "log.jsonl", "a") as file:
                file.write(json.dumps({"time": round(time.time()), **values}) + "\n")

    def numbers(self, seed: int | None = None) -> RandomNumbers:
        """This process's random numbers, of this seed or the config's."""
        return RandomNumbers(self.config.seed if seed is None else seed, self.accelerator.process_index)

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers for tensors on the run's device."""
        return torch.Generator(self.device).manual_seed(seed)

    def share(self, total: int) -> int:
        """This process's part of `total`."""
        return math.ceil(total / self.accelerator.num_processes)

    def seconds(self, stage: Stage) -> float | None:
        """How long this stage trains; None where that is said in images."""
        return None if self.minutes is None else 60 * self.minutes * stage.images / self._images

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
            TextColumn("step {task.fields[step]}, loss {task.fields[loss]:.4f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            disable=not self.main,
        )
