import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fouriscale import FouriScaleConfig
from fouriscale.maths.sizes import TOLERANCE, Fit, check_size, fit, fit_area

SDXL = FouriScaleConfig.preset("sdxl").training_sizes


@pytest.mark.parametrize(
    ("target", "training", "dilation"),
    [
        ((1024, 1024), (512, 512), 2),
        ((1280, 1280), (512, 512), 3),
        ((2048, 1024), (512, 512), 4),
        ((512, 512), (512, 512), 1),
        ((256, 512), (512, 512), 1),
        ((520, 512), (512, 512), 2),
    ],
)
def test_one_training_size(target, training, dilation):
    chosen = fit(*target, [training])
    assert (chosen.training_size, chosen.dilation) == (training, dilation)
    assert chosen.padded_size == (training[0] * dilation, training[1] * dilation)


@pytest.mark.parametrize(
    ("target", "training", "dilation"),
    [
        ((2048, 2048), (1024, 1024), 2),
        ((4096, 4096), (1024, 1024), 4),
        ((1536, 1536), (832, 1152), 2),  # 3968 padded; 1024 x 1024 would need 4096
        ((1024, 1024), (1024, 1024), 1),
    ],
)
def test_published_choice_among_buckets(target, training, dilation):
    chosen = fit(*target, SDXL)
    assert (chosen.training_size, chosen.dilation) == (training, dilation)


def test_every_size_finds_a_training_size_where_the_published_rule_fails_on_130():
    sides = range(512, 4097, 64)
    without = 0
    for height in sides:
        for width in sides:
            chosen = fit(height, width, SDXL)
            assert chosen.padded_size[0] >= height
            assert chosen.padded_size[1] >= width
            without += not any(math.ceil(height / h) == math.ceil(width / w) for h, w in SDXL)
    assert without == 130


@given(
    st.integers(1, 600),
    st.integers(1, 600),
    st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), min_size=1),
)
def test_padding_always_covers_the_target(height, width, training_sizes):
    chosen = fit(height, width, training_sizes)
    assert chosen.training_size in training_sizes
    assert chosen.padded_size[0] >= height
    assert chosen.padded_size[1] >= width
    within = any(height <= h and width <= w for h, w in training_sizes)
    assert (chosen.dilation == 1) <= within


@given(st.integers(-50, 5000), st.integers(-50, 5000), st.sampled_from([8, 16, 64]))
def test_sizes_near_a_refused_one_work(height, width, multiple):
    if height > 0 and width > 0 and height % multiple == width % multiple == 0:
        check_size(height, width, multiple)
        return
    with pytest.raises(ValueError, match=f"width {width}, height {height}") as caught:
        check_size(height, width, multiple)
    numbers = [
        int(word.strip(",;"))
        for word in str(caught.value).split("near it")[1].split()
        if word.strip(",;").isdigit()
    ]
    for near_width, near_height in zip(numbers[::2], numbers[1::2], strict=True):
        check_size(near_height, near_width, multiple)


@pytest.mark.parametrize(
    ("target", "training", "dilation"),
    [
        ((1024, 1024), (1024, 1024), 1),
        ((1536, 1536), (1024, 1024), 2),  # the published rule takes 832 x 1152
        ((1088, 1088), (1024, 1024), 1),  # 6% beyond
        ((1152, 1152), (1024, 1024), 2),  # 12.5% beyond
        ((2176, 2176), (1024, 1024), 2),
        ((2432, 1664), (1216, 832), 2),
        ((4096, 1024), (2048, 512), 2),
        ((512, 512), (1024, 1024), 1),
    ],
)
def test_nearest_aspect_ratio(target, training, dilation):
    chosen = fit(*target, SDXL, "nearest")
    assert (chosen.training_size, chosen.dilation) == (training, dilation)


@given(
    st.integers(64, 4096),
    st.integers(64, 4096),
    st.lists(st.tuples(st.integers(64, 999), st.integers(64, 999)), min_size=1),
)
def test_the_nearest_rule_covers_but_for_a_tenth_and_no_more_than_needed(height, width, training_sizes):
    chosen = fit(height, width, training_sizes, "nearest")
    apart = [abs(math.log(height / width * w / h)) for h, w in training_sizes]
    h, w = chosen.training_size
    assert abs(math.log(height / width * w / h)) == pytest.approx(min(apart))
    n = chosen.dilation * TOLERANCE * (1 + 1e-6)
    assert height <= n * h
    assert width <= n * w
    fewer = (chosen.dilation - 1) * TOLERANCE
    assert chosen.dilation == 1 or height > fewer * h or width > fewer * w


def test_the_nearest_rule_pads_less_above_the_training_area():
    """The mean share of a padded map that is empty, over square and odd sizes from 1024 to 4096."""

    def empty(rule):
        shares = []
        for height in range(1024, 4097, 256):
            for width in range(1024, 4097, 256):
                padded = fit(height, width, SDXL, rule).padded_size
                shares.append(max(0, 1 - height * width / (padded[0] * padded[1])))
        return sum(shares) / len(shares)

    assert empty("nearest") < empty("published")


@pytest.mark.parametrize(
    ("target", "training", "dilation"),
    [
        ((2048, 2048), (1024, 1024), 2),
        ((1536, 1536), (1024, 1024), 1.5),
        ((1792, 1792), (1024, 1024), 1.75),
        ((1126, 1126), (1024, 1024), 1),  # 9.96% beyond on each axis
        ((1128, 1128), (1024, 1024), 1128 / 1024),
        ((1152, 1296), (960, 1088), math.sqrt(1152 * 1296 / (960 * 1088))),
        ((2432, 1664), (1216, 832), 2),
        ((512, 512), (1024, 1024), 1),
        ((8192, 2048), (2048, 512), 4),
    ],
)
def test_areas_by_hand(target, training, dilation):
    chosen = fit_area(*target, SDXL)
    assert chosen.training_size == training
    assert chosen.dilation == pytest.approx(dilation)


def test_a_shape_of_the_training_sizes_area_is_left_as_it_is():
    """However long: it is pixels that are too many, not rows or columns."""
    assert fit_area(256, 1024, [(512, 512)]) == Fit((512, 512), 1)
    assert fit_area(256, 1239, [(512, 512)]).dilation == 1
    assert fit_area(256, 1240, [(512, 512)]).dilation == pytest.approx(math.sqrt(1240 / 1024))


@given(
    st.integers(8, 4096), st.integers(8, 4096),
    st.lists(st.tuples(st.integers(8, 999), st.integers(8, 999)), min_size=1),
)  # fmt: skip
def test_the_deep_grid_has_the_training_sizes_area_but_for_a_tenth_on_each_axis(
    height, width, training_sizes
):
    chosen = fit_area(height, width, training_sizes)
    assert chosen.training_size in training_sizes
    assert chosen.training_size == fit(height, width, training_sizes, "nearest").training_size
    area = math.prod(chosen.training_size)
    if chosen.dilation == 1:
        assert height * width <= area * TOLERANCE**2 * (1 + 1e-9)
    else:
        assert chosen.dilation > TOLERANCE
        assert height * width == pytest.approx(area * chosen.dilation**2)
    assert fit_area(width, height, [size[::-1] for size in training_sizes]).dilation == chosen.dilation
