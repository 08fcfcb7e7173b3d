"""What the world offers to those who find it by its entry point, see `picturelab.worlds`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import captions, shipped
from .judge.attributes import attributes_correct
from .judge.checker import Report, check
from .scenes import Scene, sample_scenes

if TYPE_CHECKING:
    import torch
    from PIL import Image


class Shapeworld:
    """Scenes, the checker, and the shipped models. What needs torch is imported when it is asked for."""

    def models(self) -> list[str]:
        return shipped.models_in(shipped.WEIGHTS)

    def folder(self, name: str) -> Path:
        return shipped.WEIGHTS / name

    def load(self, name: str, dtype: torch.dtype) -> Any:
        from .models import load_pipeline

        return load_pipeline(name, dtype)

    def prepare(self, pipe: Any, folder: Path) -> None:
        from .models import Sampling, apply_masking

        apply_masking(pipe, Sampling.read(folder).masking)

    def scenes(self, count: int, seed: int, objects: int | None = None) -> Sequence[Scene]:
        return sample_scenes(count, seed, objects)

    def check(self, image: Image.Image, scene: Scene) -> Report:
        return check(image, scene)

    def objects_correct(self, image: Image.Image, scene: Scene, report: Report) -> bool:
        if report.background == scene.background:
            return report.correct
        return check(image, dataclasses.replace(scene, background=report.background)).correct

    def attributes_correct(self, scene: Scene, report: Report) -> dict[str, bool]:
        return attributes_correct(scene, report)

    def words(self) -> list[str]:
        return captions.words()

    def kinds(self) -> dict[str, list[str]]:
        return captions.kinds()

    def unknown_words(self, prompt: str | None) -> list[str]:
        return captions.unknown_words(prompt)


WORLD = Shapeworld()
