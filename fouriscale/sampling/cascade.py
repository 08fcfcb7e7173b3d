"""A cascade: a picture at the training size, enlarged and finished at the size that is wanted.

The picture at the training size is right as often as the model is there. Enlarged, noised to a part of the run and
sampled on from there, it keeps its objects, and its detail is made anew. Two such parts take less time than a whole run
at the size that is wanted. Cascades without training: RectifiedHR (arXiv 2503.02537), FreCaS (arXiv 2410.18410).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image
from pydantic import model_validator

from picturelab.bounds import shown
from picturelab.settings import Settings

from ..config import FouriScaleConfig
from ..config_kinds import Config
from ..maths.sizes import SIZE_MULTIPLE, TOLERANCE, Size, fit_area
from ..presets import TRANSFORMER
from . import strength as strengths

if TYPE_CHECKING:
    from torch import nn

# What imports torch is imported where it is used, so that a command refuses a cascade at once.

UPSAMPLINGS = ("pixels", "latents")
_LONGEST = 1.5  # times the training side: how long the one side of a transformer's first picture may be


class Cascade(Settings):
    """How a picture at the training size becomes a larger one. Checks itself.

    Raises:
        ValueError: a value is out of range.
    """

    strength: float = strengths.USUAL_CASCADE
    """how much of the run is sampled at the size that is wanted, in (0, 1], as in image to image."""

    upsampling: str = "pixels"
    """what is enlarged bicubically: the picture's "pixels", or its "latents" without decoding them."""

    vae_tiling: bool | None = None
    """whether the first picture is decoded in tiles; None decides it as for any picture of its size."""

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: dict[str, Any]) -> dict[str, Any]:
        values = {name: field.default for name, field in cls.model_fields.items()} | values
        strengths.check_strength("cascade_strength", values["strength"])
        if values["upsampling"] not in UPSAMPLINGS:
            raise ValueError(
                f"cascade_upsampling={shown(values['upsampling'])}: must be one of {', '.join(UPSAMPLINGS)}"
            )
        if not isinstance(values["vae_tiling"], bool | None):
            raise ValueError(
                f"cascade_vae_tiling={shown(values['vae_tiling'])}: must be true, false or left out"
            )
        return values

    @classmethod
    def chosen(cls, on: bool | None, strength: float | None, upsampling: str | None) -> Cascade | None:
        """What options ask for, each None where it is left out; None samples once.

        Raises:
            ValueError: a value is out of range, or of a cascade that is not asked for.
        """
        asked = {"strength": strength, "upsampling": upsampling}
        details: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        if details and not on:
            name, value = next(iter(details.items()))
            raise ValueError(
                f"cascade_{name}={shown(value)}: needs a cascade (--cascade; in jobs, cascade: true)"
            )
        return cls(**details) if on else None

    def check_steps(self, steps: int) -> None:
        """Refuse a strength that leaves none of the steps at the size that is wanted.

        Raises:
            ValueError: see `strength.check_steps`.
        """
        strengths.check_steps("cascade_strength", self.strength, steps)

    def check_active(self, config: FouriScaleConfig, height: int, width: int, steps: int) -> None:
        """Refuse a strength that leaves a UNet's steps all plain, so that objects may be drawn twice after all.

        Args:
            config: of the steps at `height` x `width` pixels.

        Raises:
            ValueError: all of them are plain; the sentence names a strength that would do, where there is one.
        """
        if first_size(config, height, width) is None:
            return
        schedule = config.schedule(height, width, steps)
        active = sum(map(schedule.active, range(steps)))  # they come first
        last = self.steps(steps, config.DENOISER)
        if active + last > steps:
            return
        state = "on the grid" if config.deep else "dilated"
        if active == 0:
            raise ValueError(
                f"cascade_strength={self.strength:g}: at width {width}, height {height} none of {steps} steps is "
                f"{state}; {'grid_phases' if config.deep else 'stop'} must last longer"
            )
        raise ValueError(
            f"cascade_strength={self.strength:g}: none of the last {last} of {steps} steps is {state}, which lasts "
            f"until step {active}; from {strengths.enough(steps, steps - active + 1):g} on some are"
        )

    def check_wrap(self, wrap: str) -> None:
        """Refuse a picture that wraps.

        Raises:
            ValueError: it does, since enlarging does not go round.
        """
        if wrap != "none":
            raise ValueError(
                f"wrap={wrap!r} with a cascade, whose enlarging does not go round: leave one of them out"
            )

    def check_transformer(self) -> None:
        """Refuse what no transformer's cascade does.

        Raises:
            ValueError: latents are to be enlarged.
        """
        if self.upsampling != "pixels":
            raise ValueError(
                f"cascade_upsampling={self.upsampling!r}: a transformer's image to image starts from pictures only; "
                "enlarge pixels"
            )

    def steps(self, steps: int, denoiser: str) -> int:
        """How many steps of a run are sampled at the size that is wanted, by a "unet" or a "transformer"."""
        return strengths.steps_of(self.strength, steps, denoiser)


def config_for_run(denoiser: nn.Module | Mapping[str, Any], cascade: Cascade | None) -> Config:
    """The settings of a run for which none are chosen: those of the denoiser's family, with a cascade in fast mode.

    Raises:
        ValueError: see `config_for`.
    """
    from ..recognise import config_for

    config = config_for(denoiser)
    if cascade is None or not isinstance(config, FouriScaleConfig):
        return config
    return config.replace(mode="fast")


def first_size(config: Config, height: int, width: int, multiple: int = SIZE_MULTIPLE) -> Size | None:
    """(height, width) of a cascade's first picture, in pixels, in the picture's own shape.

    With a UNet of the training size's area. With a transformer its shorter side is the training size's, as long as
    the longer one is not more than half as long again: ours are right more often so than with the area, and repeat
    objects beyond (`benchmarks.studies.first_pictures`).

    None where it would be at most a tenth smaller than `height` x `width`, so that there is nothing to enlarge.

    Args:
        multiple: of both sides; of a transformer, the pixels of a token.
    """
    from ..maths.grid import grid_size

    fit = fit_area(height, width, config.training_sizes)
    factor = fit.dilation
    if config.DENOISER == TRANSFORMER:
        shorter, longer = sorted((height / fit.training_size[0], width / fit.training_size[1]))
        factor = shorter if longer <= _LONGEST * shorter else factor
    return None if factor <= TOLERANCE else grid_size((height, width), factor, multiple)


def enlarged(pictures: Any, size: Size) -> Any:
    """Pictures, or latents (B, C, height, width), made larger bicubically.

    Args:
        pictures: a list of images, or a tensor.
        size: (height, width), of pixels or latent pixels.
    """
    import torch
    from torch.nn import functional as F

    if isinstance(pictures, torch.Tensor):
        return F.interpolate(pictures.float(), size, mode="bicubic").to(pictures.dtype)
    height, width = size
    return [picture.resize((width, height), Image.Resampling.BICUBIC) for picture in pictures]


def sentence(
    cascade: Cascade, config: Config, height: int, width: int, steps: int, multiple: int = SIZE_MULTIPLE
) -> str:
    """What a cascade would do at `height` x `width` pixels, for `explain` and the page; see `first_size`."""
    size = first_size(config, height, width, multiple)
    if size is None:
        return "none, since the size is at most a tenth beyond the training size: it is sampled once"
    last = cascade.steps(steps, config.DENOISER)
    return (
        f"{steps} steps at width {size[1]}, height {size[0]}, sampled directly; enlarged as {cascade.upsampling}; "
        f"then the last {last} of {steps} steps (strength {cascade.strength:g}) at width {width}, "
        f"height {height}"
    )
