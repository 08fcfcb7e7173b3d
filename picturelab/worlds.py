"""Worlds whose pictures can be checked, and the models shipped with them.

A world is a distribution of its own, found by its entry point, so that nothing here imports one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .extras import brings_world

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline
    from PIL import Image


GROUP = "picturelab.worlds"
USUAL = "shapeworld"
DEFAULT_MODEL = f"{USUAL}/unet"  # where a command names none


class Scene(Protocol):
    """Something to draw, of which the truth is known.

    Attributes:
        caption: the prompt.
        background: the colour's name.
        relation: how two objects stand to each other; None where there is one.
    """

    @property
    def caption(self) -> str: ...

    @property
    def background(self) -> str: ...

    @property
    def relation(self) -> str | None: ...


class Report(Protocol):
    """What a picture shows of its scene.

    Attributes:
        repeated: more objects than the scene has.
        correct: all of the scene is right.
        background: the colour's name.
    """

    @property
    def repeated(self) -> bool: ...

    @property
    def correct(self) -> bool: ...

    @property
    def background(self) -> str: ...


class World(Protocol):
    """Scenes, a checker, and models that draw them. Models are called "world/model"."""

    def models(self) -> list[str]:
        """Their names, without the world's."""

    def folder(self, name: str) -> Path:
        """Where a model lies, or "clip", the world's own CLIP."""

    def load(self, name: str, dtype: torch.dtype) -> DiffusionPipeline:
        """A model as a pipeline, on the CPU, without network."""

    def prepare(self, pipe: DiffusionPipeline, folder: Path) -> None:
        """Make the pipeline of a folder that names this world what its `sampling.json` says, hooks included."""

    def scenes(self, count: int, seed: int, objects: int | None = None) -> Sequence[Scene]:
        """Scenes with so many objects; None: with any number."""

    def check(self, image: Image.Image, scene: Any) -> Report:
        """Judge a picture of a scene."""

    def objects_correct(self, image: Image.Image, scene: Any, report: Any) -> bool:
        """Whether a scene's objects are right in a picture, on whatever background; `report` is what `check` said."""

    def attributes_correct(self, scene: Any, report: Any) -> Mapping[str, bool]:
        """{what of a scene: whether it is right in a picture}, such as its background; each whatever the others are."""

    def words(self) -> list[str]:
        """Every word that the models can read."""

    def kinds(self) -> Mapping[str, Sequence[str]]:
        """Words by kind: one can stand in a prompt where another of its kind stands."""

    def unknown_words(self, prompt: str | None) -> list[str]:
        """Words of a prompt that they cannot."""


@functools.cache
def worlds() -> Mapping[str, World]:
    """Those that are installed, by name."""
    return {point.name: point.load() for point in metadata.entry_points(group=GROUP)}


def world(name: str = USUAL) -> World:
    """A world by name.

    Raises:
        ValueError: it is not installed.
    """
    if name not in worlds():
        raise ValueError(f"the world {name!r} is not installed; {brings_world()}")
    return worlds()[name]


def split(model: str) -> tuple[World, str] | None:
    """The world that ships a model and the model's name there; None where the name is of another kind.

    Raises:
        ValueError: the name is of the usual world, which is not installed.
    """
    owner, slash, name = model.partition("/")
    if not slash or (owner != USUAL and owner not in worlds()):
        return None
    if owner not in worlds():
        raise ValueError(f"the model {model!r} is not installed; {brings_world()}")
    return worlds()[owner], name
