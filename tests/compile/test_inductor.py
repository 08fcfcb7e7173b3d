"""A UNet compiled by torch's default backend does what it does uncompiled, to within rounding."""

import shutil

import pytest
import torch
from diffusers import DDIMScheduler
from torch._dynamo.utils import counters

from fouriscale import fouriscale
from tests.tiny import unet_pipelines as models
from tests.tiny.unet_pipelines import CONFIG

pytestmark = [
    pytest.mark.skipif(
        not any(map(shutil.which, ("g++", "clang++"))),
        reason="torch's default backend needs a C++ compiler here",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),  # of what torch's default backend imports
]
STEPS = 4


@pytest.fixture
def compiled():
    """A function that calls a UNet of two blocks down and up, compiled before anything is applied."""
    unet = models.unet("SD")
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(STEPS)
    half, text = torch.randn(1, 4, 32, 32), torch.randn(2, 7, 32)

    def call(config, step):
        with fouriscale(unet, config, scheduler=scheduler), torch.no_grad():
            return unet(torch.cat([half, half]), scheduler.timesteps[step], text).sample

    def compile_unet():
        unet.compile(fullgraph=False)
        return call

    yield call, compile_unet
    torch.compiler.reset()


@pytest.mark.parametrize("mode", ["paper", "fast"])
def test_it_gives_what_the_uncompiled_gives(compiled, mode):
    call, compile_unet = compiled
    config = CONFIG.replace(mode=mode, anneal=False)
    expected = call(config, 0)
    call = compile_unet()
    counters.clear()
    torch.testing.assert_close(call(config, 0), expected, atol=1e-4, rtol=1e-3)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
