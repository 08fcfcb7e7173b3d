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
from fouriscale.hooks.pipelines import denoiser_of
from fouriscale.position_config import PositionConfig
from tests.matrix.plain_positions import plain_positions
from tests.matrix.plain_reference import plain_reference
from tests.tiny.unet_pipelines import CONFIG, FAMILIES

REFERENCE = "the method computed plainly"
BOTH = ("paper", "fast")
LAYERWISE = "Layerwise mode"  # the group of cells in that mode alone
WRAP = "Pictures that wrap"  # the group of cells with UNets whose opposite edges are neighbours
TRANSFORMERS = "Transformers"  # the group of cells whose positions are scaled, in the one mode "positions"
# The same in every mode but for what the mode says. Of fast mode's four steps, three are on the deep grid.
SETTINGS = {mode: CONFIG.replace(mode=mode) for mode in (*BOTH, "layerwise")}


def configured(mode, **changes):
    """FouriScale's settings in a mode."""
    return SETTINGS[mode].replace(**changes)


@dataclass
class Setting:
    """One combination, ready to sample.

    Attributes:
        pipe: what FouriScale is applied to.
        run: samples, and gives an array; the same one at every call.
        guided: whether the UNet's rows are [unconditional, conditional]; may be a function.
        expected: gives what `run` should give under FouriScale, from its settings; None computes the method plainly.
        equals: what that is, in words for the table.
        config: gives FouriScale's settings, from a mode.
        running: the pipeline whose scheduler and scale the plain computation follows; `pipe` if None.
        undo: put the session's models back.
        apply: further arguments of `apply_fouriscale`.
        tolerance: largest accepted error, as a part of FouriScale's effect.
    """

    pipe: Any
    run: Callable[[], Any]
    guided: Any = True
    expected: Callable[[Any], Any] | None = None
    equals: str = REFERENCE
    config: Callable[[str], Any] = configured
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
    """What a cell gave in one mode: a word for the table, what it equals, and a refusal's sentence."""

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
        modes: in which it is tried.
        otherwise: what the table says for another mode.
    """

    group: str
    name: str
    family: str
    make: Callable[..., Setting]
    refused: str | None = None
    absent: str = "not tried"
    modes: tuple[str, ...] = BOTH
    otherwise: str = "not tried"

    @property
    def id(self):
        return f"{self.group}: {self.name}, {self.family}".replace(" ", "_")


CELLS: list[Cell] = []


def cell(group, name, families=FAMILIES, refused=None, **shown):
    """Register the decorated function, which makes the `Setting` for a family; `shown` is the rest of a `Cell`."""

    def register(make):
        CELLS.extend(Cell(group, name, family, make, refused, **shown) for family in families)
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


def check(setting, modes):
    """In each mode: runs, keeps the size, changes the image, equals what it should; and restores bit for bit."""
    unet = denoiser_of(setting.pipe)
    plain = as_array(setting.run())
    found = list(unet.state_dict()), traces(unet)
    setting.undo.callback(remove_fouriscale, setting.pipe)  # also where it fails: cells share a UNet
    for mode in modes:
        _check_mode(setting, setting.config(mode), plain)
        remove_fouriscale(setting.pipe)
        assert current_state(setting.pipe) is None
        assert (list(unet.state_dict()), traces(unet)) == found
    again = as_array(setting.run())
    assert (again == plain).all()


def _plainly(setting, config):
    pipe = setting.running or setting.pipe
    if isinstance(config, PositionConfig):
        return plain_positions(pipe, config)
    return plain_reference(pipe, config, setting.guided)


def _check_mode(setting, config, plain):
    unet = denoiser_of(setting.pipe)
    keys = list(unet.state_dict())
    apply_fouriscale(setting.pipe, config, **setting.apply)
    scaled = as_array(setting.run())
    assert list(unet.state_dict()) == keys
    assert scaled.shape == plain.shape
    assert np.isfinite(scaled).all()
    effect = np.linalg.norm(scaled - plain)
    assert effect > 0.01 * np.linalg.norm(plain - plain.mean())

    if setting.expected is None:
        remove_fouriscale(setting.pipe)
        with _plainly(setting, config) as reference:
            expected = as_array(setting.run())
        assert any(reference.active)
    else:
        expected = as_array(setting.expected(config))
    assert np.linalg.norm(scaled - expected) <= setting.tolerance * effect
