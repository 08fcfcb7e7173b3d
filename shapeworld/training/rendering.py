"""True pictures for training, drawn ahead of it by worker processes.

Workers are started afresh ("spawn"), for a process that holds a GPU must not be forked. So what they run lies here,
where no model is imported, and they hand over uint8 pictures on the CPU.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ..scenes import SHAPES, Scene, sample_scenes


@dataclass(frozen=True)
class RandomNumbers:
    """The random numbers of one process of a training: the same ones after a resume, in whichever process."""

    seed: int
    process: int = 0

    def __call__(self, *key: object) -> random.Random:
        """Those for one purpose, or for one step of it."""
        return random.Random("/".join(map(str, (self.seed, *key, self.process))))


class ScenePictures(Dataset[torch.Tensor]):
    """The pictures of given scenes, uint8 (side, side, 3)."""

    def __init__(self, scenes: list[Scene], side: int):
        self.scenes, self.side = scenes, side

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.scenes[index].pixels(self.side, self.side))


class StepPictures(Dataset[tuple[int, Any]]):
    """What is drawn anew for each step: item n is (a seed for the step's tensors, what `draw` made for it)."""

    def __init__(self, draw: Callable[[random.Random], Any], numbers: RandomNumbers, stage: str):
        self.draw, self.numbers, self.stage = draw, numbers, stage

    def __getitem__(self, step: int) -> tuple[int, Any]:
        rng = self.numbers(self.stage, step)
        return rng.getrandbits(60), self.draw(rng)


def scene_batches(pictures: ScenePictures, batch: int, workers: int) -> Iterator[torch.Tensor]:
    """All pictures in their order, uint8 (up to `batch`, side, side, 3)."""
    # Each worker makes whole batches; more workers than batches would idle.
    workers = min(workers, math.ceil(len(pictures) / batch))
    return _drawn(pictures, range(len(pictures)), batch, workers)


def step_batches(pictures: StepPictures, first: int, workers: int) -> Iterator[tuple[int, Any]]:
    """The items of step `first` and all after it, without end."""
    return _drawn(pictures, itertools.count(first), None, workers)


def _drawn(dataset: Dataset, order: Iterable[int], batch: int | None, workers: int) -> Iterator[Any]:
    """Items in this order, by so many worker processes; by this process if there are none."""
    loader = DataLoader(
        dataset,
        batch_size=batch,
        sampler=order,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        generator=torch.Generator(),  # it would draw from the global one, which models are made with
    )
    return iter(loader)


@dataclass(frozen=True)
class Crops:
    """Draws a batch of crops for the autoencoder, uint8 (count, crop, crop, 3)."""

    count: int

    def __call__(self, rng: random.Random) -> torch.Tensor:
        crop = rng.choice((32, 32, 32, 64))  # small ones are cheap, large ones show whole scenes
        return _stacked([edge_crop(crop, rng) for _ in range(self.count)])


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


@dataclass(frozen=True)
class ScenePairs:
    """Draws a batch for CLIP: (pictures, uint8 (2 pairs, side, side, 3); their captions; how noisy they are to be).

    Fresh scenes, then a hard negative of each.
    """

    pairs: int
    side: int
    noise: float

    def __call__(self, rng: random.Random) -> tuple[torch.Tensor, list[str], float]:
        scenes = sample_scenes(self.pairs, seed=rng.getrandbits(60))
        scenes += [hard_negative(scene, rng) for scene in scenes]
        pictures = _stacked([scene.pixels(self.side, self.side) for scene in scenes])
        return pictures, [scene.caption for scene in scenes], rng.uniform(0, self.noise)


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


def _stacked(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures))
