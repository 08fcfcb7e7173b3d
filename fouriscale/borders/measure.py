"""What a border does to a UNet's maps, predictions and gradients, on inputs that are given."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel

from ..config import FouriScaleConfig
from ..hooks.block_maps import block_maps
from .signal import PositionSums, RingSums, by_distance, figure
from .ways import DIRECT, WRAPPED, Comparison, Way, sampling

PREDICTION = "prediction"  # what the UNet gives, beside its blocks
_SHOWN = 32  # pixels of a side of the maps that are kept, at most
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


@dataclass(frozen=True)
class Denoiser:
    """A UNet and what its calls depend on.

    Attributes:
        config: FouriScale's settings for it.
        vae_scale_factor: pixels a latent pixel.
        prediction: what it predicts, one of `PREDICTION_TYPES`.
        levels: {timestep: the clean share of the variance there}, "alpha bar".
    """

    unet: UNet2DConditionModel
    config: FouriScaleConfig
    vae_scale_factor: int
    prediction: str
    levels: dict[int, float]

    @contextlib.contextmanager
    def sampling(self, way: Way, timestep: int, *, wrapped: bool = False) -> Iterator[None]:
        """See `ways.sampling`."""
        with sampling(
            self.unet,
            way,
            self.config,
            timestep=timestep,
            vae_scale_factor=self.vae_scale_factor,
            wrapped=wrapped,
        ):
            yield


@dataclass(frozen=True)
class Inputs:
    """A batch of one group's inputs, all on the UNet's device.

    Attributes:
        group: of the intervals.
        clean, noise: latents (B, C, height, width).
        call: further arguments of the UNet's call, such as its text.
        shift: (down, right) in latent pixels, by which the check of the wrapped network rolls them.
    """

    group: int
    clean: torch.Tensor
    noise: torch.Tensor
    call: dict[str, Any]
    shift: tuple[int, int] = (0, 0)

    def noised(self, share: float) -> torch.Tensor:
        """The latents at a noise level, of whose variance this share is clean."""
        return share**0.5 * self.clean + (1 - share) ** 0.5 * self.noise


@torch.no_grad()
def position(
    denoiser: Denoiser, comparison: Comparison, batches: Iterable[Inputs], timestep: int
) -> dict[str, dict[str, Any]]:
    """{way's name: {"blocks": ..., "rings": ..., "error": ...}} at one noise level, beside the wrapped network.

    Args:
        batches: inputs whose law is the same at every place: rolled by random shifts.

    Returns:
        Under "blocks" {block: {"snr", "mae", "map"}}, the map being `PositionSums.power`; under "rings" that of the
        prediction by distance to the border; under "error" what `errors` gives. "wrapped" is the wrapped network on
        rolled inputs, rolled back, beside itself; its error is there of every comparison.
    """
    names = [way.name for way in comparison.ways]
    if comparison.method == DIRECT:
        names.append(WRAPPED)
    sums: dict[str, dict[str, PositionSums]] = {name: {} for name in names}
    wrong = {name: RingSums() for name in dict.fromkeys([*names, WRAPPED])}
    for inputs in batches:
        reference = _maps(denoiser, comparison.ways[0], inputs, timestep, wrapped=True)
        _add_error(wrong[WRAPPED], denoiser, inputs, reference[PREDICTION], timestep)
        for name in names:
            if name == WRAPPED:
                maps = _maps(denoiser, comparison.ways[0], inputs, timestep, wrapped=True, shift=inputs.shift)
            else:
                way = next(way for way in comparison.ways if way.name == name)
                maps = _maps(denoiser, way, inputs, timestep)
                _add_error(wrong[name], denoiser, inputs, maps[PREDICTION], timestep)
            for block, values in maps.items():
                sums[name].setdefault(block, PositionSums()).add(inputs.group, values, reference[block])
    found: dict[str, dict[str, Any]] = {
        name: {
            "blocks": {block: _block_figures(one) for block, one in blocks.items()},
            "rings": by_distance(blocks[PREDICTION].power()).tolist(),
        }
        for name, blocks in sums.items()
    }
    for name, one in wrong.items():
        found.setdefault(name, {})["error"] = _error_figures(one)
    return found


@torch.no_grad()
def errors(
    denoiser: Denoiser, comparison: Comparison, batches: Iterable[Inputs], timestep: int
) -> dict[str, dict[str, Any]]:
    """{way's name: {"total", "rings"}} of the squared error of the predicted noise, at one noise level.

    Under "total" the mean over all places, under "rings" that at each distance to the border in latent pixels.
    "wrapped" is the wrapped network.
    """
    wrong = {name: RingSums() for name in [*(way.name for way in comparison.ways), WRAPPED]}
    for inputs in batches:
        for way in comparison.ways:
            with denoiser.sampling(way, timestep):
                _add_error(
                    wrong[way.name], denoiser, inputs, _predicted(denoiser, inputs, timestep), timestep
                )
        with denoiser.sampling(comparison.ways[0], timestep, wrapped=True):
            _add_error(wrong[WRAPPED], denoiser, inputs, _predicted(denoiser, inputs, timestep), timestep)
    return {name: _error_figures(one) for name, one in wrong.items()}


def gradients(
    denoiser: Denoiser,
    way: Way,
    batches: Iterable[Inputs],
    timestep: int,
    seed: int,
    *,
    wrapped: bool = False,
) -> dict[str, Any]:
    """How much of the prediction hangs on each place of the input: the energy of its gradient, one probe an input.

    The mean of (d<u, f(x)>/dx)^2 over probes u of white noise, summed over channels; its mean over all places is 1.

    Args:
        seed: of the probes.
        wrapped: whether the network wraps, where every place should have 1.

    Returns:
        Under "rings" figures by distance to the border in latent pixels, under "map" all places.

    Source: the energy of adversarial perturbations by place of Gavrikov and Keuper, arXiv 2308.06612, without an
        attack: to first order, the perturbation that changes the prediction most lies where this gradient does.
    """
    sums = RingSums()
    generator = torch.Generator().manual_seed(seed)
    for inputs in batches:
        sample = inputs.noised(denoiser.levels[timestep]).requires_grad_()
        with denoiser.sampling(way, timestep, wrapped=wrapped), torch.enable_grad():
            output = denoiser.unet(sample, timestep, **inputs.call).sample
        probe = torch.randn(output.shape, generator=generator).to(output)
        (slope,) = torch.autograd.grad((output * probe).sum(), sample)
        sums.add(inputs.group, slope.float().square().sum(1))
    return {"rings": sums.rings(relative=True), "map": _kept(sums.map / sums.map.mean())}


def _maps(
    denoiser: Denoiser,
    way: Way,
    inputs: Inputs,
    timestep: int,
    *,
    wrapped: bool = False,
    shift: tuple[int, int] = (0, 0),
) -> dict[str, torch.Tensor]:
    """What every block gives, and the prediction; of inputs rolled by `shift`, rolled back."""
    sample = inputs.noised(denoiser.levels[timestep]).roll(shift, (-2, -1))
    with denoiser.sampling(way, timestep, wrapped=wrapped), block_maps(denoiser.unet) as maps:
        output = denoiser.unet(sample, timestep, **inputs.call).sample
    height, width = sample.shape[-2:]
    return {
        name: one.roll((-shift[0] * one.shape[-2] // height, -shift[1] * one.shape[-1] // width), (-2, -1))
        for name, one in (maps | {PREDICTION: output}).items()
    }


def _predicted(denoiser: Denoiser, inputs: Inputs, timestep: int) -> torch.Tensor:
    output: torch.Tensor = denoiser.unet(
        inputs.noised(denoiser.levels[timestep]), timestep, **inputs.call
    ).sample
    return output


def _add_error(
    sums: RingSums, denoiser: Denoiser, inputs: Inputs, prediction: torch.Tensor, timestep: int
) -> None:
    wrong = noise_error(prediction, inputs, denoiser.levels[timestep], denoiser.prediction)
    sums.add(inputs.group, wrong.square().mean(1))


def noise_error(prediction: torch.Tensor, inputs: Inputs, share: float, kind: str) -> torch.Tensor:
    """How far the noise that a prediction stands for is from the noise that there is.

    Args:
        prediction: what the UNet gave.
        share: the clean share of the variance.
        kind: what it predicts, one of `PREDICTION_TYPES`.
    """
    signal, noise = share**0.5, (1 - share) ** 0.5
    if kind == "epsilon":
        return prediction - inputs.noise
    if kind == "v_prediction":  # noise = signal * v + noise level * sample
        return signal * (prediction - (signal * inputs.noise - noise * inputs.clean))
    return signal / noise * (inputs.clean - prediction)


def _error_figures(sums: RingSums) -> dict[str, Any]:
    return {"total": sums.total(), "rings": sums.rings()}


def _block_figures(sums: PositionSums) -> dict[str, Any]:
    return {"snr": figure(sums.snr), "mae": figure(sums.mae), "map": _kept(sums.power())}


def _kept(values: torch.Tensor) -> list[list[float]]:
    """A map as JSON holds it, of so many pixels a side at most."""
    height, width = values.shape
    if max(height, width) > _SHOWN:
        step = max(height, width) / _SHOWN
        size = max(round(height / step), 1), max(round(width / step), 1)
        values = torch.nn.functional.adaptive_avg_pool2d(values[None], size)[0]
    return [[round(value, 5) for value in row] for row in values.tolist()]
