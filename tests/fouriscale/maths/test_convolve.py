import pytest
import torch
from torch import nn

from fouriscale.maths.convolve import dilated


def test_taps_are_spread_by_hand():
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    kernel = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    x = torch.zeros(1, 1, 7, 7)
    x[0, 0, 3, 3] = 1
    out = dilated(conv, x, kernel, None, 2)[0, 0]
    expected = torch.zeros(7, 7)
    expected[1::2, 1::2] = kernel[0, 0].flip(0, 1)  # correlation turns the kernel round an impulse
    assert torch.equal(out, expected)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(16, 16), (9, 13)])
def test_keeps_the_usual_output_size(stride, dilation, size):
    conv = nn.Conv2d(2, 4, 3, padding=1, stride=stride)
    x = torch.randn(1, 2, *size)
    assert dilated(conv, x, conv.weight, conv.bias, dilation).shape == conv(x).shape


def test_dilation_one_is_the_plain_convolution():
    conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(dilated(conv, x, conv.weight, conv.bias, 1), conv(x))


def test_subsampled_map_sees_the_learned_convolution():
    """Equation 5 of the paper: down_s(F) * k = down_s(F * k') with k' = k dilated by s."""
    conv = nn.Conv2d(3, 5, 3, padding=1)
    x = torch.randn(1, 3, 24, 24)
    torch.testing.assert_close(
        dilated(conv, x, conv.weight, conv.bias, 3)[..., ::3, ::3], conv(x[..., ::3, ::3])
    )


def test_circular_padding_stays_circular():
    conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    x = torch.randn(1, 1, 8, 8)
    out = dilated(conv, x, conv.weight, conv.bias, 2)
    shifted = dilated(conv, x.roll((3, 5), (2, 3)), conv.weight, conv.bias, 2)
    torch.testing.assert_close(out.roll((3, 5), (2, 3)), shifted)
