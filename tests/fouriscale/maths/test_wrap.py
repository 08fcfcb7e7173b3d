"""Maps that go round: convolutions, filters, resampling, keys; and which sides can."""

import pytest
import torch
from torch import nn

from fouriscale.maths.choices import RESAMPLINGS
from fouriscale.maths.convolve import dilated
from fouriscale.maths.decimate import Decimation, closes, decimation, interpolation
from fouriscale.maths.filters import build
from fouriscale.maths.grid import resampling_matrix
from fouriscale.maths.lowpass import LowPass, Window
from fouriscale.maths.plan import Plan, padded_size
from fouriscale.maths.tokens import places
from fouriscale.maths.wrap import WRAPS, check_sides, either, name_of


def test_the_last_pixels_stand_before_the_first_by_hand():
    conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    left = torch.zeros(1, 1, 3, 3)
    left[..., 1, 0] = 1  # takes the pixel to the left
    x = torch.arange(6.0).view(1, 1, 2, 3)
    wide = dilated(conv, x, left, None, 1, WRAPS["width"])
    assert wide[0, 0].tolist() == [[2, 0, 1], [5, 3, 4]]
    assert dilated(conv, x, left, None, 2, WRAPS["width"])[0, 0].tolist() == [[1, 2, 0], [4, 5, 3]]
    assert (
        dilated(conv, x, left, None, 4, WRAPS["width"])[0, 0].tolist() == wide[0, 0].tolist()
    )  # once around
    assert dilated(conv, x, left, None, 1, WRAPS["height"])[0, 0].tolist() == [[0, 0, 1], [0, 3, 4]]
    above = left.mT
    assert dilated(conv, x, above, None, 1, WRAPS["height"])[0, 0].tolist() == [[3, 4, 5], [0, 1, 2]]


@pytest.mark.parametrize("padding", ["same", (1, 4)])
@pytest.mark.parametrize("dilation", [1, 3, 13])
def test_a_wrapped_axis_commutes_with_shifts_and_the_other_is_as_it_was(padding, dilation):
    conv = nn.Conv2d(2, 4, (3, 5), padding=padding, dilation=(1, 2), groups=2)
    x = torch.randn(1, 2, 120, 11)
    out = dilated(conv, x, conv.weight, conv.bias, dilation, WRAPS["width"])
    shifted = dilated(conv, x.roll(4, 3), conv.weight, conv.bias, dilation, WRAPS["width"])
    torch.testing.assert_close(out.roll(4, 3), shifted)
    zeros = dilated(conv, x, conv.weight, conv.bias, dilation)
    assert out.shape == zeros.shape
    middle = x[..., 5:6].expand_as(x)  # the same everywhere along the width, where only a border shows
    flat = dilated(conv, middle, conv.weight, conv.bias, dilation, WRAPS["width"])
    assert (flat - flat[..., :1]).abs().max() < 1e-5


def test_a_padding_mode_of_the_layers_own_stays_on_the_other_axis():
    conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="replicate", bias=False)
    above = torch.zeros(1, 1, 3, 3)
    above[..., 0, 1] = 1
    x = torch.arange(6.0).view(1, 1, 3, 2)
    assert dilated(conv, x, above, None, 1, WRAPS["width"])[0, 0].tolist() == [[0, 1], [0, 1], [2, 3]]
    assert dilated(conv, x, above, None, 1, WRAPS["height"])[0, 0].tolist() == [[4, 5], [0, 1], [2, 3]]


@pytest.mark.parametrize("size", [(12, 15), (9, 16)])
def test_the_filter_goes_round_and_is_the_circular_one(size):
    window = Window(2.5, 0.1)
    wanted = {"latent_size": size, "training_size": (5, 5), "factor": 4}
    assert padded_size(size, **wanted) == (20, 20)
    assert padded_size(size, **wanted, wrap=WRAPS["width"]) == (20, size[1])
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    both = LowPass.build(size, size, window, dtype=torch.float64)(x)
    mask = window.mask(size[0])[:, None] * window.mask(size[1])
    torch.testing.assert_close(both, torch.fft.ifft2(torch.fft.fft2(x) * mask).real)
    wide = LowPass.build(size, (20, size[1]), window, dtype=torch.float64)
    torch.testing.assert_close(wide(x.roll(5, 3)), wide(x).roll(5, 3))


@pytest.mark.parametrize(("size", "d"), [(16, 2), (30, 3), (24, 4), (18, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_decimation_goes_round(size, d, stride):
    if size % (d * stride):
        assert not closes((size, 7), d, stride, (True, False))
        return
    there, back = decimation(size, d, True), interpolation(size, d, stride, True)
    for matrix in (there, back):
        torch.testing.assert_close(matrix.sum(1), torch.ones(len(matrix), dtype=torch.float64))
    torch.testing.assert_close(there.roll((1, d), (0, 1)), there)  # d pixels on are one sample on
    torch.testing.assert_close(back.roll((d, 1), (0, 1)), back)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_equals_the_dilated_convolution_of_a_band_limited_map(d, stride):
    conv = nn.Conv2d(2, 3, 3, padding=1, stride=stride).double()
    y, x = torch.meshgrid(torch.arange(24).double(), torch.arange(36).double(), indexing="ij")
    turn = 2 * torch.pi
    maps = torch.stack(
        [(turn * (y / 24 + 2 * x / 36)).sin(), (turn * y / 24).cos() * (turn * x / 36 + 1).sin()]
    )
    exact = dilated(conv, maps[None], conv.weight, conv.bias, d, WRAPS["both"])
    both = Decimation.build((24, 36), d, stride, None, torch.float64, WRAPS["both"])
    small = dilated(conv, both.decimated(maps[None]), conv.weight, conv.bias, 1, WRAPS["both"])
    torch.testing.assert_close(both.interpolated(small), exact, rtol=1e-9, atol=1e-9)


def test_where_d_does_not_divide_the_dilated_form_is_taken():
    plan = Plan(
        dilation=4.0, strong_dilation=4, weak_dilation=4, latent_size=(16, 20), training_size=(5, 5), factor=4,
        floor=0.0, rows=1, guided=False, guidance_rows=0, guidance_factor=1.0, decimated=True, wrap=WRAPS["width"],
    )  # fmt: skip
    device, dtype = torch.device("cpu"), torch.float32
    assert len(build(plan, ((16, 20), 1, False), device, dtype)) == 4
    assert len(build(plan, ((16, 20), 2, False), device, dtype)) == 2  # 20 is no multiple of 8


@pytest.mark.parametrize("kind", RESAMPLINGS)
@pytest.mark.parametrize(("source", "target"), [(16, 8), (24, 16), (18, 14), (8, 20), (7, 7), (9, 3)])
def test_resampling_goes_round(kind, source, target):
    matrix = resampling_matrix(source, target, kind, closed=True)
    assert matrix.shape == (target, source)
    torch.testing.assert_close(matrix.sum(1), torch.ones(target, dtype=torch.float64))
    part = torch.gcd(torch.tensor(source), torch.tensor(target)).item()
    shifted = matrix.roll((target // part, source // part), (0, 1))
    torch.testing.assert_close(shifted, matrix)
    if source == target:
        torch.testing.assert_close(matrix, torch.eye(source, dtype=torch.float64))


@pytest.mark.parametrize(("source", "target"), [(24, 16), (18, 14), (8, 20)])
def test_waves_that_both_have_keep_their_amplitude(source, target):
    matrix = resampling_matrix(source, target, "cosines", closed=True)
    turn = 2 * torch.pi
    for wave in range(min(source, target) // 2):
        here = (torch.arange(target).double() + 0.5) / target - 0.5 / source
        at = torch.arange(source).double() / source
        torch.testing.assert_close(matrix @ (turn * wave * at + 1).cos(), (turn * wave * here + 1).cos())


@pytest.mark.parametrize(("side", "count"), [(24, 16), (10, 4), (33, 16), (7, 7)])
def test_keys_are_spaced_evenly_around(side, count):
    keys = places(side, count)
    gaps = torch.cat([keys, keys[:1] + side]).diff()
    assert gaps.max() - gaps.min() <= 1
    assert gaps.sum() == side


@pytest.mark.parametrize(
    ("size", "wrap", "sentence"),
    [
        ((128, 136), "width", "width 136 cannot wrap: .* a multiple of 16 for this model, such as 128 or 144"),
        ((124, 128), "both", "height 124 cannot wrap: .* such as 128$"),
        ((8, 128), "height", "height 8 cannot wrap: .* such as 16$"),
        ((100, 128), "height", "such as 96$"),
    ],
)  # fmt: skip
def test_sides_that_the_strides_do_not_divide_are_refused(size, wrap, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_sides(size, 16, WRAPS[wrap])


def test_other_sides_pass():
    check_sides((128, 136), 16, WRAPS["height"])
    check_sides((100, 136), 16, WRAPS["none"])
    assert either(WRAPS["width"], WRAPS["height"]) == WRAPS["both"]
    assert [name_of(axes) for axes in WRAPS.values()] == list(WRAPS)
