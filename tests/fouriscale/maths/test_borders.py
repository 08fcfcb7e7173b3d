"""What a dilated convolution sees beyond the border: values worked out by hand."""

import pytest
import torch
from torch import nn

from fouriscale.maths.choices import BORDERS
from fouriscale.maths.convolve import continued_places, dilated, partial_ratio
from fouriscale.maths.wrap import WRAPS


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding", "dilation", "ratios"),
    [
        (5, 3, 1, 1, 1, [3 / 2, 1, 1, 1, 3 / 2]),
        (6, 3, 1, 2, 2, [3 / 2, 3 / 2, 1, 1, 3 / 2, 3 / 2]),
        (3, 3, 1, 2, 2, [3 / 2, 3, 3 / 2]),  # the middle row keeps its middle tap only
        (2, 3, 1, 2, 2, [3, 3]),
        (6, 3, 2, 1, 1, [3 / 2, 1, 1]),  # an even side, halved: the first row only
        (8, 3, 2, 2, 2, [3 / 2, 1, 1, 3 / 2]),  # dilated by 2: the first and the last
        (4, 5, 1, 2, 1, [5 / 3, 5 / 4, 5 / 4, 5 / 3]),
        (4, 3, 1, 0, 1, [1, 1]),
        (1, 1, 1, 1, 1, [0, 1, 0]),  # no tap inside
    ],
)
def test_ratio_of_taps_by_hand(side, kernel, stride, padding, dilation, ratios):
    assert partial_ratio(side, kernel, stride, padding, padding, dilation).tolist() == pytest.approx(ratios)


@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_partial_is_its_definition(kernel, stride, dilation):
    """Equation 2 of the paper, with a mask that is 1 inside the map."""
    conv = nn.Conv2d(2, 3, kernel, stride, kernel // 2)
    x, padding = torch.randn(1, 2, 9, 13), kernel // 2 * dilation
    inside = nn.functional.conv2d(
        torch.ones(1, 1, 9, 13), torch.ones(1, 1, kernel, kernel), None, stride, padding, dilation
    )
    sums = nn.functional.conv2d(x, conv.weight, None, stride, padding, dilation)
    expected = sums * kernel**2 / inside + conv.bias[:, None, None]
    ours = dilated(conv, x, conv.weight, conv.bias, dilation, border="partial")
    torch.testing.assert_close(ours, expected)


def test_partial_keeps_a_constant_of_alike_taps_and_leaves_the_bias_alone():
    conv = nn.Conv2d(1, 1, 3, padding=1)
    weight, bias = torch.full((1, 1, 3, 3), 1 / 9), torch.tensor([10.0])
    out = dilated(conv, torch.full((1, 1, 5, 7), 2.0), weight, bias, 2, border="partial")
    torch.testing.assert_close(out, torch.full((1, 1, 5, 7), 12.0))
    corner = dilated(conv, torch.ones(1, 1, 5, 7), weight, None, 1)[0, 0, 0, 0]
    assert corner.item() == pytest.approx(4 / 9)


@pytest.mark.parametrize(
    ("side", "reach", "kind", "step", "places"),
    [
        (4, 1, "replicate", 1, [0, 0, 1, 2, 3, 3]),
        (4, 1, "reflect", 1, [1, 0, 1, 2, 3, 2]),
        (4, 2, "circular", 1, [2, 3, 0, 1, 2, 3, 0, 1]),
        (6, 2, "replicate", 2, [0, 1, 0, 1, 2, 3, 4, 5, 4, 5]),  # a block of two rows is copied
        (6, 2, "reflect", 2, [2, 3, 0, 1, 2, 3, 4, 5, 2, 3]),
        (5, 2, "reflect", 2, [2, 3, 0, 1, 2, 3, 4, 1, 2]),  # grids of 3 and of 2
        (5, 2, "replicate", 2, [0, 1, 0, 1, 2, 3, 4, 3, 4]),
        (2, 2, "reflect", 2, [0, 1, 0, 1, 0, 1]),  # grids of one
        (3, 5, "circular", 5, [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]),
    ],
)
def test_places_beyond_the_ends_by_hand(side, reach, kind, step, places):
    assert continued_places(side, reach, reach, kind, step).tolist() == places


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [(12, 12), (11, 7)])
def test_each_interleaved_grid_has_the_training_convolution_border_included(border, size):
    conv = nn.Conv2d(2, 3, 3, padding=1)
    x, d = torch.randn(1, 2, *size), 3
    spread = dilated(conv, x, conv.weight, conv.bias, d, border=border)
    for row in range(d):
        for column in range(d):
            grid = (..., slice(row, None, d), slice(column, None, d))
            alone = dilated(conv, x[grid], conv.weight, conv.bias, 1, border=border)
            torch.testing.assert_close(spread[grid], alone)


@pytest.mark.parametrize("border", BORDERS)
def test_a_wrapped_axis_has_no_border(border):
    conv = nn.Conv2d(2, 3, 3, padding=1)
    x = torch.randn(1, 2, 6, 9)
    ours = dilated(conv, x, conv.weight, conv.bias, 2, WRAPS["both"], border)
    assert torch.equal(ours, dilated(conv, x, conv.weight, conv.bias, 2, WRAPS["both"]))
    wide = dilated(conv, x, conv.weight, conv.bias, 2, WRAPS["width"], border)
    torch.testing.assert_close(wide[..., 2:4, :], ours[..., 2:4, :])  # out of the border's reach
    assert (border == "zeros") == torch.equal(
        wide, dilated(conv, x, conv.weight, conv.bias, 2, WRAPS["width"])
    )
