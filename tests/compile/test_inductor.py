"""A UNet compiled by torch's default backend does what it does uncompiled, to within rounding."""

import shutil

import pytest
import torch
from torch._dynamo.utils import counters

from tests.compile.sampling import Sampling

pytestmark = [
    pytest.mark.skipif(
        not any(map(shutil.which, ("g++", "clang++"))),
        reason="torch's default backend needs a C++ compiler here",
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),  # of what torch's default backend imports
]


@pytest.mark.parametrize("mode", ["paper", "fast"])
def test_it_gives_what_the_uncompiled_gives(mode):
    sampling = Sampling()
    with sampling.applied(mode=mode):
        expected = sampling.call(0)
    torch.compiler.reset()
    counters.clear()
    sampling.unet.compile()
    with sampling.applied(mode=mode):
        torch.testing.assert_close(sampling.call(0), expected, atol=1e-4, rtol=1e-3)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]
    torch.compiler.reset()
