"""How long one step takes on this machine: a UNet of the model's shape, with weights of no meaning."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from ..hooks.patch import fouriscale
from .explain import Explanation, guided_inputs


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
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(unet_config)).eval()
    unet = unet.to(dtype).to_empty(device=device)
    for weight in unet.parameters():
        weight.normal_(std=0.02)
    latent_size = explanation.size[0] // vae_scale_factor, explanation.size[1] // vae_scale_factor
    steps = explanation.steps
    scheduler = SimpleNamespace(timesteps=torch.arange(steps - 1, -1, -1))
    direct = _seconds(unet, latent_size, 0)
    with fouriscale(unet, explanation.config, scheduler=scheduler, vae_scale_factor=vae_scale_factor):
        active = _seconds(unet, latent_size, len(explanation.dilations) - 1)
        late = _seconds(unet, latent_size, 0)
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"this machine's {device.type.upper()}"
    )
    return StepTimes(direct, active, late, f"{name} in {str(dtype).removeprefix('torch.')}")


def _seconds(unet: UNet2DConditionModel, latent_size: tuple[int, int], timestep: int) -> float:
    """Of the second of two calls."""
    sample, text, extra = guided_inputs(unet, latent_size)
    # With guidance both rows are of one sample.
    sample = torch.randn_like(sample[:1], dtype=unet.dtype).repeat(len(sample), 1, 1, 1)
    text = torch.randn_like(text, dtype=unet.dtype)
    extra = {
        key: {name: torch.randn_like(value, dtype=unet.dtype) for name, value in values.items()}
        for key, values in extra.items()
    }
    begun = 0.0
    for _ in range(2):
        _wait(unet.device)
        begun = time.perf_counter()
        unet(sample, timestep, text, **extra)
    _wait(unet.device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    """For a card, which computes while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
