"""The deep grid: its size, and the matrices that get maps onto it and off again."""

import itertools
import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.nn import functional as F

from fouriscale.maths.choices import RESAMPLINGS
from fouriscale.maths.grid import DeepGrid, grid_size, resamplers, resampling_matrix

SIDES = st.integers(1, 40)


def over(maps, rows, columns):
    """Maps with a matrix on each axis."""
    return rows @ maps @ columns


def built(latent_size, factor, level=1, levels=3, resampling="cosines"):
    return DeepGrid.build(
        latent_size=latent_size, factor=factor, level=level, levels=levels, resampling=resampling
    )


@pytest.mark.parametrize(
    ("full", "factor", "multiple", "size"),
    [
        ((32, 48), math.sqrt(6), 2, (14, 20)),  # ideal 13.06 x 19.60
        ((48, 32), math.sqrt(6), 2, (20, 14)),
        ((32, 32), 2, 2, (16, 16)),
        ((24, 24), 1.5, 2, (16, 16)),
        ((32, 32), 4 / 3, 1, (24, 24)),
        ((32, 32), 1.6, 4, (20, 20)),
        ((33, 17), 2, 1, (17, 9)),  # of 16 and 17, 8 and 9, by their ratios
        ((16, 16), 1, 2, (16, 16)),
        ((5, 200), 2.5, 4, (4, 80)),  # ideal 2 x 80: no fewer than one multiple
        ((3, 90), 1.5, 4, (3, 60)),  # and no more than the map has
        ((1, 1), 7, 1, (1, 1)),
        ((1, 1), 7, 8, (1, 1)),
        ((4, 4), math.sqrt(2), 2, (2, 2)),  # 2 and 4 are as near to 2.83
    ],
)
def test_grid_size_by_hand(full, factor, multiple, size):
    assert grid_size(full, factor, multiple) == size


@given(SIDES, SIDES, st.floats(1, 20), st.sampled_from([1, 2, 4, 8]))
@example(40, 1, 20.0, 8)
def test_a_grid_has_multiples_no_larger_than_the_map_as_near_as_there_are(height, width, factor, multiple):
    size = grid_size((height, width), factor, multiple)
    for side, full in zip(size, (height, width), strict=True):
        assert 1 <= side <= full
        assert side % multiple == 0 or side == full
        others = {min(n, full) for n in range(multiple, full + multiple, multiple)}
        off = [abs(math.log(n * factor / full)) for n in (side, *others)]
        assert off[0] <= min(off[1:]) + 1e-8


def test_sizes_of_all_levels_by_hand():
    grid = built((64, 96), math.sqrt(6))
    assert grid.size == (14, 20)
    assert [grid.full(level) for level in range(3)] == [(64, 96), (32, 48), (16, 24)]
    assert [grid.small(level) for level in (1, 2)] == [(14, 20), (7, 10)]
    assert grid.leaving == ((28, 40), (64, 96))


def test_an_axis_too_short_for_a_multiple_is_halved_upward():
    grid = built((10, 300), 2.0, level=1, levels=4)  # 5 x 150 at level 1, multiples of 4
    assert grid.size == (4, 76)
    narrow = built((5, 300), 1.2, level=1, levels=4)
    assert narrow.size == (3, 124)
    assert [narrow.small(level) for level in (1, 2, 3)] == [(3, 124), (2, 62), (1, 31)]


@given(
    *[st.integers(1, 200) | st.integers(1, 25).map(lambda n: 8 * n)] * 2,
    st.floats(1.1, 8), st.integers(1, 3), st.integers(0, 2),
)  # fmt: skip
def test_a_grid_can_be_halved_as_often_as_the_picture(height, width, factor, level, deeper):
    """So that where the UNet tells its upsamplers no size, all of them double."""
    levels = level + 1 + deeper
    grid = built((height, width), factor, level, levels)
    for own in range(level, levels):
        assert all(a <= b for a, b in zip(grid.small(own), grid.full(own), strict=True))
    for side, small in zip((height, width), grid.size, strict=True):
        assert side % 2 ** (levels - 1) or small % 2**deeper == 0


@pytest.mark.parametrize("kind", RESAMPLINGS)
@pytest.mark.parametrize(("source", "target"), [(16, 8), (8, 16), (24, 14), (28, 64), (7, 1), (1, 7), (1, 1)])
def test_constants_stay_what_they_are(kind, source, target):
    matrix = resampling_matrix(source, target, kind)
    assert matrix.shape == (target, source)
    assert matrix.dtype == torch.float64
    torch.testing.assert_close(matrix.sum(1), torch.ones(target, dtype=torch.float64))


@pytest.mark.parametrize("kind", RESAMPLINGS)
@given(side=SIDES)
def test_an_axis_of_the_same_length_stays_as_it_is(kind, side):
    torch.testing.assert_close(resampling_matrix(side, side, kind), torch.eye(side, dtype=torch.float64))


def wave(order, side):
    return torch.cos(torch.pi * order * (torch.arange(side, dtype=torch.float64) + 0.5) / side)


@given(source=st.integers(2, 40), target=st.integers(2, 40), data=st.data())
def test_cosines_that_both_lengths_have_are_kept_and_others_go(source, target, data):
    both = min(source, target)
    low = data.draw(st.integers(0, both - 1))
    matrix = resampling_matrix(source, target, "cosines")
    torch.testing.assert_close(matrix @ wave(low, source), wave(low, target))
    for high in range(both, source):
        torch.testing.assert_close(matrix @ wave(high, source), torch.zeros(target, dtype=torch.float64))


@given(side=SIDES, kept=SIDES)
def test_cosines_there_and_back_are_the_ideal_low_pass(side, kept):
    kept = min(side, kept)
    there, back = resampling_matrix(side, kept, "cosines"), resampling_matrix(kept, side, "cosines")
    torch.testing.assert_close(there @ back, torch.eye(kept, dtype=torch.float64))
    passed = back @ there
    torch.testing.assert_close(passed @ passed, passed)  # a projection,
    torch.testing.assert_close(passed, passed.T)  # orthogonal,
    assert passed.trace() == pytest.approx(kept)  # of so many cosines


@pytest.mark.parametrize(("kind", "smaller", "larger"), [
    ("nearest", "nearest", "nearest"), ("bicubic", "bicubic", "bicubic"), ("area", "area", "bicubic"),
])  # fmt: skip
@pytest.mark.parametrize(("source", "target"), [((16, 12), (8, 6)), ((14, 20), (11, 15)), ((7, 9), (16, 24))])
def test_the_other_kinds_are_torchs(kind, smaller, larger, source, target):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, *source, dtype=torch.float64)
    ours = over(maps, *resamplers(source, target, kind, maps.device, maps.dtype))
    theirs = F.interpolate(maps, target, mode=smaller if target < source else larger)
    torch.testing.assert_close(ours, theirs)


def test_both_axes_have_a_matrix_of_their_own():
    rows, columns = resamplers((6, 9), (3, 4), "cosines", torch.device("cpu"), torch.float16)
    assert (rows.shape, columns.shape) == ((3, 6), (9, 4))
    assert rows.dtype == columns.dtype == torch.float16
    assert columns.is_contiguous()


def test_one_sample_is_the_mean_and_becomes_a_constant():
    torch.manual_seed(0)
    maps = torch.randn(1, 2, 5, 6, dtype=torch.float64)
    for kind in ("cosines", "area"):
        one = over(maps, *resamplers((5, 6), (1, 1), kind, maps.device, maps.dtype))
        torch.testing.assert_close(one, maps.mean((-2, -1), keepdim=True))
    for kind, size in itertools.product(RESAMPLINGS, [(1, 6), (4, 3)]):
        spread = over(one, *resamplers((1, 1), size, kind, maps.device, maps.dtype))
        torch.testing.assert_close(spread, one.expand(1, 2, *size))
