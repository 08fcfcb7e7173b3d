"""What a run needs of a card, by hand and against what an H100 showed."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import UNet2DConditionModel

from fouriscale import FouriScaleConfig, fouriscale
from fouriscale.loading.configs import unet_config
from fouriscale.reports.card import GIB, RESERVED, Parts, needed, switches_for, transfer_seconds
from fouriscale.reports.explain import call_costs

PARTS = Parts(
    unet=5 * GIB,
    text=2 * GIB,
    vae=1 * GIB,
    sampling=6 * GIB,
    split_sampling=4 * GIB,
    decoding=20 * GIB,
    tiled_decoding=3 * GIB,
)


def test_needs_by_hand():
    assert needed(PARTS) == 28 * GIB  # all weights, and decoding
    assert needed(PARTS, ["tiles"]) == 14 * GIB  # and sampling
    assert needed(PARTS, ["tiles", "split"]) == 12 * GIB
    assert needed(PARTS, ["model offload"]) == 21 * GIB  # the VAE and its maps
    assert needed(PARTS, ["tiles", "model offload"]) == 11 * GIB  # the UNet and its maps
    assert needed(PARTS, ["tiles", "split", "sequential offload"]) == 4 * GIB


@pytest.mark.parametrize(
    ("gib", "switches"),
    [
        (28, ()),
        (27, ("tiles",)),
        (12, ("tiles", "split")),
        (11, ("tiles", "model offload")),
        (9, ("tiles", "split", "model offload")),
        (6, ("tiles", "sequential offload")),
        (4, ("tiles", "split", "sequential offload")),
        (3, None),
    ],
)
def test_the_cheapest_that_fit_are_switched_on(gib, switches):
    assert switches_for(PARTS, gib * GIB + RESERVED) == switches


def test_what_saves_nothing_is_not_switched_on():
    """Where sampling is what takes most, tiles are no help."""
    parts = Parts(5 * GIB, 2 * GIB, 1 * GIB, 6 * GIB, None, 3 * GIB, 2 * GIB)
    assert switches_for(parts, 12 * GIB + RESERVED) == ("model offload",)


def test_what_offload_costs():
    assert transfer_seconds(PARTS, ["tiles"], 50) == 0
    assert transfer_seconds(PARTS, ["model offload"], 50) == pytest.approx(8 * GIB / 12e9)
    assert transfer_seconds(PARTS, ["sequential offload"], 50) == pytest.approx(253 * GIB / 12e9)


@pytest.mark.slow
def test_sdxl_at_4096_as_measured_on_an_h100():
    """In float16, from shapes alone: benchmarks/results/h100.md has GiB beyond the weights."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(unet_config("sdxl")).eval()
    half = 2 / GIB
    assert sum(weight.numel() for weight in unet.parameters()) * half == pytest.approx(4.92, rel=0.15)
    assert call_costs(unet, (512, 512), 0).peak_values * half == pytest.approx(5.01, rel=0.15)
    scheduler = SimpleNamespace(timesteps=torch.arange(49, -1, -1))
    for mode, measured in (("paper", 7.52), ("fast", 5.01)):
        with fouriscale(unet, FouriScaleConfig.preset("sdxl", mode=mode), scheduler=scheduler):
            peak = call_costs(unet, (512, 512), 49).peak_values
            assert peak * half == pytest.approx(measured, rel=0.15)
