"""The ways of sampling that a report compares, and a UNet made to sample in one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel

from ..config import MODES, FouriScaleConfig
from ..hooks.applied import wrap_multiple
from ..hooks.border import bordered
from ..hooks.patch import fouriscale
from ..hooks.wrap import wrap
from ..maths.choices import BORDERS
from ..maths.sizes import Size

DIRECT, DILATED, DEEP = "direct", "dilated", "deep grid"
WRAPPED = "wrapped"  # not a border: the reference, held against itself on rolled inputs
_MODES = {DILATED: "paper", DEEP: "fast"}
_STEPS = 50  # of a run, in whose first step FouriScale is all there


@dataclass(frozen=True)
class Way:
    """A way of sampling.

    Attributes:
        scale: times the training size on each axis.
        method: `DIRECT`, `DILATED` (paper mode without its guidance branch) or `DEEP` (fast mode).
        border: one of `BORDERS`; directly it is that of every convolution, dilated that of the convolutions that are
            dilated.
    """

    scale: int
    method: str
    border: str = "zeros"

    @property
    def name(self) -> str:
        """Of the method and the border, such as "dilated, reflect"."""
        return self.method if self.border == "zeros" else f"{self.method}, {self.border}"

    @property
    def title(self) -> str:
        """The same with the size, such as "dilated, reflect, 2x"."""
        return f"{self.name}, {self.scale}x"


@dataclass(frozen=True)
class Comparison:
    """Ways that differ in what stands beyond the border alone, so that they have one wrapped network in common."""

    scale: int
    method: str
    borders: tuple[str, ...] = ("zeros",)

    @property
    def ways(self) -> list[Way]:
        """One a border."""
        return [Way(self.scale, self.method, border) for border in self.borders]


COMPARISONS = (
    Comparison(1, DIRECT, BORDERS),
    Comparison(2, DIRECT),
    Comparison(2, DILATED, BORDERS),
    Comparison(2, DEEP),
    Comparison(4, DIRECT),
    Comparison(4, DILATED),
    Comparison(4, DEEP),
)
# Those of which errors of pictures as they are and gradients are measured.
FURTHER = tuple(one for one in COMPARISONS if one.scale < 4)
SCALES = tuple(dict.fromkeys(one.scale for one in COMPARISONS))


@contextlib.contextmanager
def sampling(
    unet: UNet2DConditionModel,
    way: Way,
    config: FouriScaleConfig,
    *,
    timestep: int,
    vae_scale_factor: int,
    wrapped: bool = False,
) -> Iterator[None]:
    """For the length of a `with` block, the UNet's calls sample in this way.

    Args:
        config: the model's own settings, of which a method takes its mode.
        timestep: of the calls; it is the first of a run, so that FouriScale does all that it ever does.
        vae_scale_factor: pixels a latent pixel.
        wrapped: whether everything wraps on both axes, so that there is no border.

    Raises:
        ValueError: FouriScale cannot be applied to the UNet.
    """
    if way.method == DIRECT and wrapped:
        with wrap(unet, "both", vae_scale_factor=vae_scale_factor):
            yield
    elif way.method == DIRECT and way.border == "zeros":
        yield
    elif way.method == DIRECT:
        with bordered(unet, way.border):
            yield
    else:
        settings = config_of_method(config, way.method).replace(
            border=way.border, wrap="both" if wrapped else "none"
        )
        scheduler = SimpleNamespace(timesteps=timestep - torch.arange(_STEPS))
        with fouriscale(unet, settings, scheduler=scheduler, vae_scale_factor=vae_scale_factor, guided=False):
            yield


def config_of_method(config: FouriScaleConfig, method: str) -> FouriScaleConfig:
    """A model's settings in a method's mode, with all that a mode decides left to it but for the guidance branch.

    That branch replaces rows by others of a weaker filter, and a row is to be measured as it is.
    """
    mode = _MODES[method]
    own = dict.fromkeys(MODES[mode]) | {"third_branch": False, "early_guidance": 1.0, "split_rows": False}
    return config.replace(mode=mode, **own)


def size_at(unet: UNet2DConditionModel, config: FouriScaleConfig, scale: int, vae_scale_factor: int) -> Size:
    """(height, width) in pixels of a multiple of the training size, such that it could wrap."""
    multiple = wrap_multiple(unet, vae_scale_factor)
    height, width = (max(side // multiple, 1) * multiple for side in config.scaled_size(1))
    return height * scale, width * scale
