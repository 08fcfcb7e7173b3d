"""Batches for training, on the device where the module is trained."""

from __future__ import annotations

import itertools
import math
import os
import random
from collections.abc import Callable, Generator
from typing import Any

import torch
from accelerate.utils import send_to_device
from diffusers import AutoencoderKL
from rich.progress import track

from ..scenes import Scene, sample_scenes
from .rendering import ScenePictures, StepPictures, scene_batches, step_batches
from .run import Run
from .settings import DenoiserStage

_ENCODED_AT_ONCE = 32


def to_float(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 (B, height, width, 3) pictures as floats (B, 3, height, width) in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


class LatentBatches:
    """Batches for a denoiser from scenes encoded once; this process's share of the stage's scenes.

    All latents and tokens lie on the run's device, with fp16 latents 8 KB a scene of 128 px.
    """

    def __init__(self, run: Run, name: str, vae: AutoencoderKL, tokenizer: Any, stage: DenoiserStage):
        """`vae`: on the run's device."""
        self.run, self.name, self.stage = run, name, stage
        self.numbers = run.numbers(stage.seed)
        seed = self.numbers("scenes", stage.pixels).getrandbits(60)
        scenes = sample_scenes(run.share(stage.scenes), seed)
        self.latents = self._encode(vae, scenes)  # (scenes, 4, h, w), fp16
        self.scale = vae.config.scaling_factor
        texts = ["", *(scene.caption for scene in scenes)]
        tokens = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids.to(run.device)
        self.empty, self.tokens = tokens[:1], tokens[1:]

    @torch.no_grad()
    def _encode(self, vae: AutoencoderKL, scenes: list[Scene]) -> torch.Tensor:
        """The scenes' latents, not yet scaled; kept on disk for a resumed run."""
        run = self.run
        file = run.folder / f"latents-{self.name}-{run.accelerator.process_index}.pt"
        if not file.exists():
            pictures = scene_batches(ScenePictures(scenes, self.stage.pixels), _ENCODED_AT_ONCE, run.workers)
            total = math.ceil(len(scenes) / _ENCODED_AT_ONCE)
            parts = [
                vae.encode(to_float(part.to(run.device))).latent_dist.mode().half().cpu()
                for part in track(pictures, f"encoding {self.name}", total, disable=not run.main)
            ]
            partial = file.with_suffix(".partial")
            torch.save(torch.cat(parts), partial)
            os.replace(partial, file)
        latents: torch.Tensor = torch.load(file, map_location=run.device, weights_only=True)
        return latents

    def __call__(self, first: int) -> Generator[tuple[torch.Tensor, ...], None, None]:
        """(latents, tokens, noise, level) of each step from `first` on, the last in [0, 1]."""
        for step in itertools.count(first):
            yield self._batch(self.run.generator(self.numbers(self.name, step).getrandbits(60)))

    def _batch(self, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        stage, batch = self.stage, self.stage.batch
        there: Any = {"generator": generator, "device": self.run.device}
        index = torch.randint(len(self.latents), (batch,), **there)
        clean = (self.latents[index].float() * self.scale).to(memory_format=torch.channels_last)
        dropped = torch.rand(batch, 1, **there) < self.run.config.empty_captions
        noise = torch.randn(clean.shape, **there).to(memory_format=torch.channels_last)
        # One noise level from each equal part of the distribution: less to average out between batches.
        quantile = (torch.arange(batch, device=self.run.device) + torch.rand(batch, **there)) / batch
        level = (torch.special.ndtri(quantile) * stage.noise_std + stage.noise_mean).sigmoid()
        return clean, torch.where(dropped, self.empty, self.tokens[index]), noise, level


class DrawnBatches:
    """Batches whose pictures are drawn anew for each step, ahead of it where the run has workers."""

    def __init__(
        self,
        run: Run,
        name: str,
        draw: Callable[[random.Random], Any],
        finish: Callable[[Any, torch.Generator], tuple],
    ):
        """
        Args:
            draw: what a worker process does for a step; it and what it gives can be pickled.
            finish: makes the module's inputs of that, when it lies on the run's device, with the step's generator.
        """
        self.run, self.finish = run, finish
        self.pictures = StepPictures(draw, run.numbers(), name)

    def __call__(self, first: int) -> Generator[tuple, None, None]:
        """The module's inputs of each step from `first` on."""
        for seed, drawn in step_batches(self.pictures, first, self.run.workers):
            yield self.finish(send_to_device(drawn, self.run.device), self.run.generator(seed))


def crop_inputs(crops: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Generator]:
    """An autoencoder's inputs, of what `Crops` draws."""
    return to_float(crops), generator


class CaptionedPictures:
    """Makes CLIP's inputs of what `ScenePairs` draws; somewhat noisy, for it will judge a model's pictures."""

    def __init__(self, processor: Any, tokenizer: Any):
        self.tokenizer = tokenizer
        self.mean, self.std = (
            torch.tensor(values)[:, None, None] for values in (processor.image_mean, processor.image_std)
        )

    def __call__(
        self, drawn: tuple[torch.Tensor, list[str], float], generator: torch.Generator
    ) -> tuple[torch.Tensor, ...]:
        """(pictures, tokens), where the drawn pictures lie."""
        uint8, captions, strength = drawn
        device = uint8.device
        tokens = self.tokenizer(captions, padding=True, return_tensors="pt").input_ids.to(device)
        pictures = to_float(uint8) / 2 + 0.5
        pictures = pictures + torch.randn(pictures.shape, generator=generator, device=device) * strength
        return (pictures.clamp(0, 1) - self.mean.to(device)) / self.std.to(device), tokens
