"""What a cell of the compatibility table is, and how it is checked."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline

from fouriscale import apply_fouriscale, remove_fouriscale
from fouriscale.hooks.patch import current_state
from fouriscale.hooks.pipelines import unet_of
from tests.matrix.plain_reference import plain_reference
from tests.tiny.unet_pipelines import CONFIG, FAMILIES

REFERENCE = "the method computed plainly"


@dataclass
class Setting:
    """One combination, ready to sample.

    Attributes:
        pipe: what FouriScale is applied to.
        run: samples, and gives an array; the same one at every call.
        guided: whether the UNet's rows are [unconditional, conditional]; may be a function.
        expected: gives what `run` should give under FouriScale; None computes the method plainly.
        equals: what that is, in words for the table.
        config: FouriScale's settings.
        running: the pipeline whose scheduler and scale the plain computation follows; `pipe` if None.
        undo: put the session's models back.
        apply: further arguments of `apply_fouriscale`.
        tolerance: largest accepted error, as a part of FouriScale's effect.
    """

    pipe: Any
    run: Callable[[], Any]
    guided: Any = True
    expected: Callable[[], Any] | None = None
    equals: str = REFERENCE
    config: Any = CONFIG
    running: Any = None
    undo: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    tolerance: float = 1e-3
    apply: dict[str, Any] = field(default_factory=dict)

    def pipelines(self):
        """Names of the pipeline classes that took part."""
        taken = (self.pipe, self.running)
        return {type(pipe).__name__ for pipe in taken if isinstance(pipe, DiffusionPipeline)}


@dataclass(frozen=True)
class Result:
    """What a cell gave: a word for the table, what it equals, and a refusal's sentence."""

    word: str
    equals: str = ""
    sentence: str | None = None
    pipelines: frozenset[str] | set[str] = frozenset()


@dataclass(frozen=True)
class Cell:
    """One entry of the table.

    Attributes:
        refused: the sentence's core where FouriScale declines.
        absent: what the table says for a family that the row does not have.
    """

    group: str
    name: str
    family: str
    make: Callable[..., Setting]
    refused: str | None = None
    absent: str = "not tried"

    @property
    def id(self):
        return f"{self.group}: {self.name}, {self.family}".replace(" ", "_")


CELLS: list[Cell] = []


def cell(group, name, families=FAMILIES, refused=None, absent="not tried"):
    """Register the decorated function, which makes the `Setting` for a family."""

    def register(make):
        CELLS.extend(Cell(group, name, family, make, refused, absent) for family in families)
        return make

    return register


def as_array(images):
    if isinstance(images, torch.Tensor):
        images = images.detach().float().numpy()
    return np.asarray(images, dtype=np.float64)


def traces(unet):
    """Everything that a patch could leave behind on a module."""
    return {
        name: (
            sorted(vars(module)),
            *(len(getattr(module, h)) for h in ("_forward_hooks", "_forward_pre_hooks")),
        )
        for name, module in unet.named_modules()
    }


def check(setting):
    """Runs, keeps the size, changes the image, equals what it should, restores bit for bit."""
    unet = unet_of(setting.pipe)
    plain = as_array(setting.run())
    keys, found = list(unet.state_dict()), traces(unet)

    setting.undo.callback(remove_fouriscale, setting.pipe)  # also where it fails: cells share a UNet
    apply_fouriscale(setting.pipe, setting.config, **setting.apply)
    scaled = as_array(setting.run())
    assert list(unet.state_dict()) == keys
    assert scaled.shape == plain.shape
    assert np.isfinite(scaled).all()
    effect = np.linalg.norm(scaled - plain)
    assert effect > 0.01 * np.linalg.norm(plain - plain.mean())

    if setting.expected is None:
        remove_fouriscale(setting.pipe)
        with plain_reference(setting.running or setting.pipe, setting.config, setting.guided) as reference:
            expected = as_array(setting.run())
        assert any(reference.active)
    else:
        expected = as_array(setting.expected())
    assert np.linalg.norm(scaled - expected) <= setting.tolerance * effect

    remove_fouriscale(setting.pipe)
    assert current_state(setting.pipe) is None
    assert traces(unet) == found
    again = as_array(setting.run())
    assert (again == plain).all()
