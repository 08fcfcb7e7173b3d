"""How long a step of one picture or several takes on this machine: a UNet of the model's shape, with random weights."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from ..hooks.patch import fouriscale
from .explain import Explanation, guided_inputs

_ROUNDS = 4


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a step with guidance.

    Attributes:
        direct: sampled directly.
        active, late: the first step at the size that is wanted, and the last one.
        device: where, in words.
    """

    direct: float
    active: float
    late: float
    device: str


@dataclass(frozen=True)
class BatchTimes:
    """Seconds of one step with guidance, of several pictures at once.

    Attributes:
        seconds: {pictures: seconds of their step}, the fewest pictures first.
        device: where, in words.
    """

    seconds: dict[int, float]
    device: str

    def of_a_picture(self, pictures: int) -> float:
        """Each one's share of a step."""
        return self.seconds[pictures] / pictures


@torch.no_grad()
def measure(
    unet_config: Mapping[str, Any],
    explanation: Explanation,
    *,
    device: torch.device,
    dtype: torch.dtype,
    vae_scale_factor: int,
) -> StepTimes:
    """One call of each kind after a warm-up.

    Args:
        unet_config: of the UNet that was explained.
        device, dtype: where and how it computes.
        vae_scale_factor: pixels a latent pixel.
    """
    unet = _random_unet(unet_config, device, dtype)
    call = _Calls(unet, explanation, vae_scale_factor)
    direct = call.seconds(0)
    with call.scaled():
        active = call.seconds(len(explanation.dilations) - 1)
        late = call.seconds(0)
    return StepTimes(direct, active, late, _words(device, dtype))


@torch.no_grad()
def measure_batches(
    unet_config: Mapping[str, Any],
    explanation: Explanation,
    pictures: Sequence[int],
    *,
    device: torch.device,
    dtype: torch.dtype,
    vae_scale_factor: int,
) -> BatchTimes:
    """The first step at the size that is wanted, by how many pictures are made at once; the rest as for `measure`.

    The numbers take turns, so that what else this machine does meanwhile hits all of them. The first round is not
    counted, and of the others the shortest call.
    """
    call = _Calls(_random_unet(unet_config, device, dtype), explanation, vae_scale_factor)
    least: dict[int, float] = dict.fromkeys(pictures, math.inf)
    with call.scaled():
        for turn in range(_ROUNDS):
            for count in pictures:
                seconds = call.once(len(explanation.dilations) - 1, count)
                least[count] = min(least[count], seconds) if turn else math.inf
    return BatchTimes(least, _words(device, dtype))


class _Calls:
    """Calls of a UNet as a run with guidance makes them.

    Args:
        explanation: of the run.
        vae_scale_factor: pixels a latent pixel.
    """

    def __init__(self, unet: UNet2DConditionModel, explanation: Explanation, vae_scale_factor: int) -> None:
        self._unet, self._explanation, self._pixels = unet, explanation, vae_scale_factor

    def scaled(self) -> AbstractContextManager[Any]:
        """A `with` block in which they follow the run's settings."""
        # Timesteps are counted down, so that a call's own tells its step.
        scheduler = SimpleNamespace(timesteps=torch.arange(self._explanation.steps - 1, -1, -1))
        config = self._explanation.config
        return fouriscale(self._unet, config, scheduler=scheduler, vae_scale_factor=self._pixels)

    def seconds(self, timestep: int) -> float:
        """Of the second of two calls."""
        self.once(timestep)
        return self.once(timestep)

    def once(self, timestep: int, pictures: int = 1) -> float:
        """Seconds of one call."""
        height, width = (side // self._pixels for side in self._explanation.size)
        sample, text, extra = guided_inputs(self._unet, (height, width))
        half = sample[:1].repeat(pictures, 1, 1, 1)
        # With guidance both halves are of the same samples.
        sample = torch.randn_like(half, dtype=self._unet.dtype).repeat(2, 1, 1, 1)
        text = _random(text, pictures, self._unet.dtype)
        extra = {
            key: {name: _random(value, pictures, self._unet.dtype) for name, value in values.items()}
            for key, values in extra.items()
        }
        _wait(self._unet.device)
        begun = time.perf_counter()
        self._unet(sample, timestep, text, **extra)
        _wait(self._unet.device)
        return time.perf_counter() - begun


def _random(rows: torch.Tensor, times: int, dtype: torch.dtype) -> torch.Tensor:
    """So many times as many rows, of random values."""
    return torch.randn_like(rows.repeat(times, *[1] * (rows.ndim - 1)), dtype=dtype)


def _random_unet(config: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> UNet2DConditionModel:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(config)).eval()
    unet = unet.to(dtype).to_empty(device=device)
    for weight in unet.parameters():
        weight.normal_(std=0.02)
    return unet


def _words(device: torch.device, dtype: torch.dtype) -> str:
    """Where and how something was measured."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"this machine's {device.type.upper()}"
    )
    return f"{name} in {str(dtype).removeprefix('torch.')}"


def _wait(device: torch.device) -> None:
    """For a card, which computes while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
