import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fouriscale.maths.lowpass import LowPass, Window, axis_matrices


def by_fft(x, padded, window):
    """The published filter as published: pad, full-size mask on the spectrum, real part, crop."""
    height, width = x.shape[-2:]
    mask = window.mask(padded[0])[:, None] * window.mask(padded[1])[None, :]
    spectrum = torch.fft.fft2(x, s=padded)  # s pads with zeros at the bottom and right
    return torch.fft.ifft2(spectrum * mask).real[..., :height, :width]


def test_mask_by_hand():
    # n = 16, s = 2: R = 2, ramp (16/4 + 1 - k)/2 + 1 = 3.5, 3, 2.5, 2, 1.5, 1, 0.5, 0 -> clamped to 1 and 0
    expected = [1, 1, 1, 1, 1, 1, 0.5, 0]
    assert Window(2.0).mask(16).tolist() == expected + expected[::-1]
    # floor 0.6: slope 0.4/2 = 0.2, ramp 0.2 (5 - k) + 1 = ..., 1.0 at k = 5, 0.8, 0.6
    assert Window(2.0, 0.6).mask(16).tolist() == pytest.approx([1] * 6 + [0.8, 0.6] + [0.6, 0.8] + [1] * 6)
    # weak: R = int((2 - 1) 16 // 4) = 4, ramp (5 - k)/4 + 1 = ..., 1.0, 0.75, 0.5
    assert Window(2.0, weak=True).mask(16).tolist() == [1] * 6 + [0.75, 0.5] + [0.5, 0.75] + [1] * 6
    # s = 1: R = 0 for the weak window: all pass
    assert Window(1.0, weak=True).mask(8).tolist() == [1] * 8


def test_small_maps_pass_unchanged():
    assert Window(2.0).is_identity(8)
    assert not Window(2.0).is_identity(16)
    assert LowPass.build((8, 8), (8, 8), Window(2.0)) is None


def test_constant_map_keeps_its_value():
    x = torch.full((1, 1, 32, 32), 3.0)
    assert torch.allclose(LowPass.build((32, 32), (32, 32), Window(4.0))(x), x, atol=1e-5)


def test_highest_frequency_is_stopped():
    checkers = ((-1.0) ** torch.arange(32))[:, None] * ((-1.0) ** torch.arange(32))[None, :]
    filtered = LowPass.build((32, 32), (32, 32), Window(2.0))(checkers[None, None])
    assert filtered.abs().max() < 1e-5


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 33), st.integers(1, 33)),
    st.tuples(st.integers(0, 17), st.integers(0, 17)),
    st.sampled_from([1.0, 1.37, 2.0, 3.5, 4.0]),
    st.sampled_from([0.0, 0.6]),
    st.booleans(),
)
def test_equals_pad_fft_mask_crop(size, extra, scale, floor, weak):
    padded = (size[0] + extra[0], size[1] + extra[1])
    window = Window(scale, floor, weak)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 3, *size)))
    low_pass = LowPass.build(size, padded, window, dtype=torch.float64)
    result = low_pass(x) if low_pass else x
    torch.testing.assert_close(result, by_fft(x, padded, window), atol=1e-10, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    x = torch.randn(1, 2, 16, 24, generator=torch.Generator().manual_seed(0))
    window = Window(3.0)
    exact = LowPass.build((16, 24), (24, 24), window)(x)
    rough = LowPass.build((16, 24), (24, 24), window, dtype=dtype)(x.to(dtype))
    assert rough.dtype == dtype
    assert (rough.float() - exact).norm() / exact.norm() < 1e-2


def test_axis_matrices_are_symmetric_and_antisymmetric_circulants():
    even, odd = axis_matrices(16, 16, Window(2.0), None, torch.float64)
    torch.testing.assert_close(even, even.mT)
    torch.testing.assert_close(odd, -odd.mT)
