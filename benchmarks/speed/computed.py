"""What needs no run of a model: multiply-adds and peak memory from shapes alone, and the filter's own cost."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from torch import nn

from fouriscale.maths.convolve import dilated
from fouriscale.maths.lowpass import LowPass, Window
from fouriscale.reports.explain import explain

from .cases import MODES, PARTS, STEPS, Shape
from .clock import Clock, alternating

_MAPS = ((1280, 16), (1280, 32), (640, 64))  # channels and sides of Stable Diffusion 1.5's at 2x


def computed(shape: Shape, scale: int) -> list[dict[str, Any]]:
    """By mode: multiply-adds of a run and peak of feature maps over direct sampling's, and gigabytes in bfloat16."""
    side, rows = scale * shape.side, []
    for mode, changes in (MODES | PARTS).items():
        config = shape.settings(changes)
        if config is None:
            continue
        told = explain(
            shape.unet, side, side, steps=STEPS, config=config, vae_scale_factor=shape.vae_scale_factor
        )
        ours, direct = told.peak_values
        most = max(ours, direct)  # the late steps need as much as direct sampling's
        rows.append(
            {
                "shape": shape.name,
                "size": f"{side}x{side}",
                "mode": mode,
                "multiply_adds": told.run_cost,
                "peak": most / direct,
                "bf16_gigabytes": 2 * (most + told.parameters) / 1e9,
            }
        )
    return rows


def filter_overhead(turns: int, clock: Clock, dtype: torch.dtype) -> dict[str, float]:
    """Time of a filtered convolution over the dilated one's, by map, of Stable Diffusion 1.5 at 2x."""
    ratios = {}
    for channels, side in _MAPS:
        conv = nn.Conv2d(channels, channels, 3, padding=1).to(clock.device, dtype)
        x = torch.randn(2, channels, side, side).to(clock.device, dtype)
        low = LowPass.build((side, side), (side, side), Window(2.0), clock.device, dtype)
        assert low is not None

        @torch.no_grad()
        def convolve(x: torch.Tensor, conv: nn.Conv2d = conv) -> torch.Tensor:
            return dilated(conv, x, conv.weight, conv.bias, 2)

        timings = alternating(
            {
                "plain": lambda f=convolve, x=x: f(x),
                "filtered": lambda f=convolve, x=x, low=low: f(low(x)),
            },
            turns,
            clock,
        )
        plain, filtered = (
            statistics.median(timing.seconds for timing in timings[name]) for name in ("plain", "filtered")
        )
        ratios[f"{channels} channels, {side}x{side}"] = filtered / plain
    return ratios
