"""What a report on borders is made with."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from picturelab.bounds import check
from picturelab.settings import Settings

from . import GROUPS

PROBES = 64  # of the gradients of each way
_FULL = (32, (0.2, 0.5, 0.8))
_QUICK = (16, (0.5,))
_LARGE = 4  # times the training size, where an input takes thirty times as long
_MIDDLE = 0.5  # the part of training's timesteps at which gradients are measured


class BordersSettings(Settings):
    """What a report is made with; a killed one goes on only with the same.

    Raises:
        ValueError: a value is out of range.
    """

    model: str
    """A name, for the report."""

    revision: str | None
    """Of its weights."""

    config: dict[str, Any]
    """FouriScale's settings."""

    inputs: int
    """Noised latents of each noise level and size, in eight groups; at four times the training size half of them."""

    timesteps: tuple[int, ...]
    """The noise levels."""

    gradient_timestep: int
    """That of the gradients."""

    pictures: str | None
    """The folder of the pictures that latents are made of; None: the model samples them."""

    fingerprint: str | None
    """Of the pictures of that folder."""

    seed: int
    """Of pictures, noise, shifts and probes."""

    precision: str
    """The weights' dtype."""

    device: str
    """Where it runs, such as "cuda"."""

    def inputs_at(self, scale: int) -> int:
        """Inputs at so many times the training size."""
        return max(self.inputs // 2, GROUPS) if scale >= _LARGE else self.inputs

    @model_validator(mode="after")
    def _check(self) -> BordersSettings:
        check("seed", self.seed)
        check("seed", self.seed + self.inputs)
        if self.inputs < GROUPS or self.inputs % GROUPS:
            raise ValueError(f"inputs={self.inputs}: must be a multiple of {GROUPS}")
        return self


def extent(quick: bool, timesteps: int) -> dict[str, Any]:
    """How much is measured, as entries of `BordersSettings`.

    Args:
        quick: fewer inputs and one noise level.
        timesteps: of the model's training.
    """
    inputs, parts = _QUICK if quick else _FULL
    return {
        "inputs": inputs,
        "timesteps": tuple(round(part * timesteps) for part in parts),
        "gradient_timestep": round(_MIDDLE * timesteps),
    }
