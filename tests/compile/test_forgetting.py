"""Applied to a compiled UNet, FouriScale is seen by it, and other compiled models are left alone."""

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from tests.compile.sampling import Sampling
from tests.tiny.stable_diffusion import autoencoder

COMPILE = {
    "in place": lambda unet: unet.compile(backend="eager"),
    "by a wrapper": lambda unet: torch.compile(unet, backend="eager"),
    "by blocks": lambda unet: unet.compile_repeated_blocks(backend="eager"),
}


@pytest.fixture(autouse=True)
def fresh():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def outputs(sampling, compile_unet):
    """Of a UNet before fast mode, which is hooks only, within it, and after it; compiled, and not."""
    with sampling.applied(mode="fast"):
        within = sampling.call(0)
    expected = [sampling.call(0), within, sampling.call(0)]
    sampling.model = compile_unet(sampling.unet) or sampling.unet
    results = [sampling.call(0)]
    with sampling.applied(mode="fast"):
        results.append(sampling.call(0))
    results.append(sampling.call(0))
    return results, expected


@pytest.mark.parametrize("how", COMPILE)
def test_a_compiled_unet_sees_its_hooks_and_others_are_not_compiled_anew(how):
    counts = CompileCounter(), CompileCounter()
    decoder, layers = autoencoder().decoder, nn.Sequential(nn.Linear(4, 4), nn.SiLU())
    others = torch.compile(decoder, backend=counts[0]), torch.compile(layers, backend=counts[1])
    inputs = torch.randn(1, 4, 4, 4), torch.randn(1, 4)

    def call_others():
        for other, value in zip(others, inputs, strict=True):
            with torch.no_grad():
                other(value)
        return [count.frame_count for count in counts]

    before = call_others()
    assert all(before)
    results, expected = outputs(Sampling(), COMPILE[how])
    for result, output in zip(results, expected, strict=True):
        torch.testing.assert_close(result, output)
    assert not torch.allclose(expected[0], expected[1], atol=1e-2)
    assert call_others() == before


def test_where_torch_keeps_compiled_code_otherwise_all_of_it_goes(monkeypatch):
    monkeypatch.delattr("torch._dynamo.eval_frame.reset_code")
    count, layer = CompileCounter(), nn.Linear(4, 4)
    other = torch.compile(layer, backend=count)
    other(torch.randn(1, 4))
    results, expected = outputs(Sampling(), COMPILE["in place"])
    for result, output in zip(results, expected, strict=True):
        torch.testing.assert_close(result, output)
    other(torch.randn(1, 4))
    assert count.frame_count == 2
