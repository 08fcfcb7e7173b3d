"""Position signal, errors and intervals: values worked out by hand."""

import pytest
import torch
from torch.nn import functional as F

from fouriscale.borders import GROUPS, signal
from fouriscale.borders.signal import PositionSums, RingSums


def test_distances_and_the_means_over_their_rings():
    assert signal.distances(4, 5).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    maps = torch.zeros(2, 4, 5)
    maps[0, 0, 0] = 14.0  # of 14 pixels at the border
    maps[1, 1, 1] = 3.0  # of 6 inside
    torch.testing.assert_close(signal.by_distance(maps), torch.tensor([[1.0, 0.0], [0.0, 0.5]]))


def test_a_convolution_of_ones_has_the_position_that_counting_its_taps_gives():
    """Constant maps 1 ... 8: with zeros beyond the border each place gets its value times the taps inside."""
    taps = F.conv2d(torch.ones(1, 1, 6, 6), torch.ones(1, 1, 3, 3), padding=1)[0]
    assert (taps[0, 0, 0], taps[0, 0, 1], taps[0, 1, 1]) == (4, 6, 9)
    sums = PositionSums()
    for group in range(GROUPS):
        value = torch.full((1, 1, 6, 6), group + 1.0)
        sums.add(group, value * taps, 9 * value)
    # The mean of 1 ... 8 is 4.5 and their variance 6; by chance a pattern of 8 inputs has an eighth of that.
    shape = taps - taps.mean()
    expected = (4.5**2 - 6 / 8) * shape.square() / (6 * taps.square().mean())
    torch.testing.assert_close(sums.power(), expected[0], rtol=1e-5, atol=1e-6)
    assert sums.snr() == pytest.approx(float(expected.mean()), rel=1e-5)
    # 16 places at the edges lack 3 of 9 taps, the 4 corners 5, of 36 places.
    assert sums.mae() == pytest.approx((16 * 3 + 4 * 5) / (36 * 9), rel=1e-6)


def test_what_depends_on_the_input_alone_is_no_position():
    torch.manual_seed(0)
    sums, same = PositionSums(), PositionSums()
    for group in range(GROUPS):
        wrapped = torch.randn(16, 3, 8, 8)
        sums.add(group, wrapped + torch.randn(16, 3, 8, 8), wrapped)
        same.add(group, wrapped, wrapped)
    found = signal.figure(sums.snr)
    assert found["low"] == 0
    assert found["value"] < 0.001  # 0.004 without what chance alone gives
    assert sums.mae() == pytest.approx(1, abs=0.02)
    assert (same.snr(), same.mae()) == (0, 0)


def test_intervals_by_leaving_out_a_group():
    constant = signal.with_interval(3.0, [3.0] * GROUPS)
    assert (constant["low"], constant["value"], constant["high"]) == (3, 3, 3)
    # Means of 1 ... 8 without one of them: the jackknife's error is that of the mean, sqrt(6 / 8).
    mean = signal.figure(lambda groups: sum(i + 1 for i in groups) / len(groups))
    assert mean["value"] == 4.5
    assert mean["high"] - mean["value"] == pytest.approx(2.365 * (6 / 8) ** 0.5)
    below = signal.with_interval(-0.1, [-0.1] * GROUPS)
    assert (below["low"], below["value"], below["high"]) == (0, 0, 0)


def test_means_and_ratios_keep_the_groups_together():
    one = signal.with_interval(2.0, [2.0 + 0.1 * i for i in range(GROUPS)])
    twice = signal.with_interval(4.0, [2 * value for value in one["left_out"]])
    ratio = signal.ratio(twice, one)
    assert ratio["value"] == ratio["low"] == ratio["high"] == pytest.approx(2)
    mean = signal.mean_figure([one, twice], [3, 1])
    assert mean["value"] == pytest.approx(2.5)
    assert mean["left_out"] == pytest.approx([1.25 * value for value in one["left_out"]])
    assert signal.ratio(one, signal.with_interval(0.0, [-1.0, 1.0] * 4)) is None


def test_rings_are_means_over_inputs_and_may_be_relative():
    sums = RingSums()
    for group in range(GROUPS):
        maps = torch.ones(2, 4, 4)
        maps[:, 1:3, 1:3] = 5.0
        sums.add(group, maps * (group + 1))
    assert [one["value"] for one in sums.rings()] == pytest.approx([4.5, 22.5])
    assert sums.total()["value"] == pytest.approx(9)  # 12 places of 1 and 4 of 5, times 4.5
    relative = sums.rings(relative=True)
    assert [(one["low"], one["high"]) for one in relative] == [
        pytest.approx((0.5, 0.5)),
        pytest.approx((2.5, 2.5)),
    ]
    assert sums.map[1, 1] == pytest.approx(22.5)
