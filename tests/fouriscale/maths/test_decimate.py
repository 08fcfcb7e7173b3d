import math

import pytest
import torch
from torch import nn

from fouriscale.maths.convolve import dilated
from fouriscale.maths.decimate import Decimation, decimation, interpolation


@pytest.mark.parametrize(("size", "d"), [(16, 2), (17, 2), (30, 3), (31, 4), (5, 4)])
@pytest.mark.parametrize("stride", [1, 2])
def test_constants_pass(size, d, stride):
    there, back = decimation(size, d), interpolation(size, d, stride)
    kept = math.ceil(size / d)
    assert there.shape == (kept, size)
    assert back.shape == (math.ceil(size / stride), math.ceil(kept / stride))
    torch.testing.assert_close(there.sum(1), torch.ones(kept, dtype=torch.float64))
    torch.testing.assert_close(back.sum(1), torch.ones(len(back), dtype=torch.float64))


@pytest.mark.parametrize(("size", "d"), [(16, 2), (30, 3), (32, 4)])
def test_there_and_back_is_the_ideal_low_pass(size, d):
    kept = size // d
    there, back = decimation(size, d), interpolation(size, d, 1)
    torch.testing.assert_close(there @ back, torch.eye(kept, dtype=torch.float64))
    place = torch.arange(size, dtype=torch.float64) + 0.5
    waves = (math.pi / size * place[:, None] * torch.arange(size)).cos()
    passed = back @ (there @ waves)
    torch.testing.assert_close(passed[:, :kept], waves[:, :kept])  # the lowest 1/d of them
    torch.testing.assert_close(passed[:, kept:], torch.zeros_like(passed[:, kept:]))


def smooth(height, width, channels):
    """Maps of waves longer than 15 pixels."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
    waves = [torch.rand(4).double() * torch.tensor([0.4, 0.4, 6, 6]) for _ in range(channels)]
    return torch.stack([(a * y + c).sin() * (b * x + e).cos() for a, b, c, e in waves])[None]


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_equals_the_dilated_convolution_of_a_smooth_map_but_at_the_borders(d, stride):
    conv = nn.Conv2d(3, 5, 3, padding=1, stride=stride).double()
    x = smooth(96, 72, 3)
    both = Decimation.build((96, 72), d, stride, None, torch.float64)
    exact = dilated(conv, x, conv.weight, conv.bias, d)
    ours = both.interpolated(conv(both.decimated(x)))
    assert ours.shape == exact.shape
    inside = (..., slice(12, -12), slice(12, -12))
    error = (ours - exact)[inside].norm() / exact[inside].norm()
    assert error < 0.02  # what the borders, mirrored here and zero there, still do so far inside
    shifted = both.interpolated(conv(both.decimated(x))).roll(1, -1)
    assert (shifted - exact)[inside].norm() / exact[inside].norm() > 5 * error


@pytest.mark.parametrize("size", [(9, 13), (7, 8)])
@pytest.mark.parametrize("stride", [1, 2])
def test_keeps_the_usual_output_size_for_odd_maps(size, stride):
    conv = nn.Conv2d(2, 4, 3, padding=1, stride=stride)
    x = torch.randn(1, 2, *size)
    both = Decimation.build(size, 2, stride, None, torch.float32)
    assert both.interpolated(conv(both.decimated(x))).shape == conv(x).shape
