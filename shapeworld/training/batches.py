"""Batches for training, from scenes."""

from __future__ import annotations

import math
import os
import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from rich.progress import track

from ..scenes import SHAPES, Scene, sample_scenes
from .stages import ContrastStage, DenoiserStage, Run


def to_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    """uint8 (height, width, 3) pictures as one float tensor (B, 3, height, width) in [-1, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def edge_crop(crop: int, rng: random.Random) -> np.ndarray:
    """A square of a scene around some point of an object's edge, where there is something to learn."""
    (scene,) = sample_scenes(1, seed=rng.getrandbits(60))
    side = rng.choice((64, 96, 128))
    item, angle = rng.choice(scene.objects), rng.uniform(0, 2 * math.pi)
    corner = [
        min(max(round((centre + item.radius * turn) * side - crop / 2), 0), side - crop)
        for centre, turn in ((item.y, math.sin(angle)), (item.x, math.cos(angle)))
    ]
    return scene.pixels(side, side)[corner[0] : corner[0] + crop, corner[1] : corner[1] + crop]


class LatentBatches:
    """Batches for a denoiser from scenes encoded once; this process's share of the stage's scenes."""

    def __init__(self, run: Run, vae: AutoencoderKL, tokenizer: Any, stage: DenoiserStage):
        self.stage, self.empty_captions = stage, run.config.empty_captions
        seed = run.rng("scenes", stage.pixels).getrandbits(60)
        scenes = sample_scenes(run.share(stage.scenes), seed)
        self.latents = self._encode(run, vae, scenes)  # (scenes, 4, h, w), fp16
        self.scale = vae.config.scaling_factor
        texts = ["", *(scene.caption for scene in scenes)]
        tokens = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
        self.empty, self.tokens = tokens[:1], tokens[1:]

    @torch.no_grad()
    def _encode(self, run: Run, vae: AutoencoderKL, scenes: list[Scene]) -> torch.Tensor:
        """The scenes' latents on the CPU, not yet scaled; kept on disk for a resumed run."""
        side = self.stage.pixels
        file = run.folder / f"latents-{side}-{run.accelerator.process_index}.pt"
        if not file.exists():
            parts = []
            for i in track(range(0, len(scenes), 32), f"encoding {side} px", disable=not run.main):
                pictures = to_tensor([scene.pixels(side, side) for scene in scenes[i : i + 32]])
                parts.append(vae.encode(pictures.to(vae.device)).latent_dist.mode().half().cpu())
            partial = file.with_suffix(".partial")
            torch.save(torch.cat(parts), partial)
            os.replace(partial, file)
        return torch.load(file, weights_only=True)

    def __call__(self, _: random.Random, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """(latents, tokens, noise, level), the last in [0, 1]."""
        stage, batch = self.stage, self.stage.batch
        index = torch.randint(len(self.latents), (batch,), generator=generator)
        clean = (self.latents[index].float() * self.scale).to(memory_format=torch.channels_last)
        dropped = torch.rand(batch, 1, generator=generator) < self.empty_captions
        noise = torch.randn(clean.shape, generator=generator).to(memory_format=torch.channels_last)
        # One noise level from each equal part of the distribution: less to average out between batches.
        quantile = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
        level = (torch.special.ndtri(quantile) * stage.noise_std + stage.noise_mean).sigmoid()
        return clean, torch.where(dropped, self.empty, self.tokens[index]), noise, level


_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def hard_negative(scene: Scene, rng: random.Random) -> Scene:
    """The scene with one thing about it changed that is easily overlooked: a shape, the relation, or which
    object has which colour. Against strangers alone a CLIP learns colours and sizes, and guesses these."""
    kind = rng.choice(("shape", "relation", "colors")) if scene.relation else "shape"
    first, *rest = scene.objects
    if kind == "relation" and scene.relation:
        axis = "x" if scene.relation in ("left of", "right of") else "y"
        mirrored = tuple(replace(item, **{axis: 1 - getattr(item, axis)}) for item in scene.objects)
        return replace(scene, objects=mirrored, relation=_OPPOSITE[scene.relation])
    if kind == "colors":
        (second,) = rest
        swapped = replace(first, color=second.color), replace(second, color=first.color)
        return replace(scene, objects=swapped)
    items = list(scene.objects)
    changed = rng.randrange(len(items))
    others = [shape for shape in SHAPES if shape != items[changed].shape]
    items[changed] = replace(items[changed], shape=rng.choice(others))
    return replace(scene, objects=tuple(items))


class CaptionedPictures:
    """Batches for CLIP: fresh scenes, each with a hard negative in the same batch, and somewhat noisy, for it
    will judge a model's pictures."""

    def __init__(self, processor: Any, tokenizer: Any, stage: ContrastStage):
        self.tokenizer, self.stage = tokenizer, stage
        self.side = processor.size["height"]
        self.mean, self.std = (
            torch.tensor(values)[:, None, None] for values in (processor.image_mean, processor.image_std)
        )

    def __call__(self, rng: random.Random, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """(pictures, tokens)."""
        scenes = sample_scenes(self.stage.batch // 2, seed=rng.getrandbits(60))
        scenes += [hard_negative(scene, rng) for scene in scenes]
        tokens = self.tokenizer([s.caption for s in scenes], padding=True, return_tensors="pt").input_ids
        pictures = to_tensor([scene.pixels(self.side, self.side) for scene in scenes]) / 2 + 0.5
        noise = torch.randn(pictures.shape, generator=generator)
        pictures = pictures + noise * rng.uniform(0, self.stage.noise)
        return (pictures.clamp(0, 1) - self.mean) / self.std, tokens
