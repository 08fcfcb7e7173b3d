"""Rotary frequencies beyond the training length, against values worked out by hand."""

import math

import pytest
import torch

from fouriscale.maths.choices import POSITION_RULES
from fouriscale.maths.positions import (
    frequencies,
    interpolated,
    ntk_aware,
    stock_frequencies,
    temperature,
    whole_turns,
    yarn,
)

FLUX = stock_frequencies(56, 10_000.0)


def test_the_stock_frequencies_have_the_known_periods():
    """Periods of FLUX, FLUX.2 and Z-Image in tokens."""
    for channels, theta, periods in (
        (56, 10_000, [6.3, 8.7, 12, 17, 23, 33, 45, 63, 87, 121, 169, 234]),
        (32, 2000, [6.3, 10, 16, 26, 42, 68, 109, 175, 281]),
        (48, 256, [6.3, 7.9, 10, 13, 16, 20, 25, 32, 40, 50, 63, 80, 101, 127]),
    ):
        found = 2 * math.pi / stock_frequencies(channels, theta)
        assert found[: len(periods)].tolist() == pytest.approx(periods, rel=0.04)


def test_interpolation_divides():
    assert torch.equal(interpolated(FLUX, 2.0), FLUX / 2)


def test_ntk_keeps_the_fastest_pair_and_interpolates_the_slowest():
    found, stock = ntk_aware(FLUX, 4.0), FLUX
    assert found[0] == stock[0] == 1
    assert float(found[-1]) == pytest.approx(float(stock[-1]) / 4, rel=1e-12)
    ratios = (stock / found).log()
    assert ratios.diff().tolist() == pytest.approx([math.log(4) / 27] * 27, rel=1e-9)
    assert ntk_aware(stock_frequencies(2, 10_000), 4.0).tolist() == [0.25]


# First and last pair of FLUX's ramps at noise levels t, kappa = t^2, within 64 tokens.
@pytest.mark.parametrize(
    ("t", "beta", "gamma"),
    [
        (1.0, (6, 8), (0, 5)),
        (0.75, (8, 10), (0, 7)),
        (0.5, (10, 13), (2, 10)),
        (0.3, (13, 16), (5, 13)),
        (0.2, (16, 18), (8, 15)),
        (0.1, (20, 22), (12, 19)),
    ],
)
def test_yarns_parts_are_where_they_were_computed_to_be(t, beta, gamma):
    scale, stock = 4.0, FLUX
    ntk, slowed = ntk_aware(FLUX, scale), interpolated(FLUX, scale)
    found = yarn(FLUX, scale, 64, t**2)
    j = torch.arange(28, dtype=torch.float64)
    to_slow, to_scaled = (((j - a) / (b - a)).clamp(0, 1) for a, b in (beta, gamma))
    by_hand = stock + to_scaled * (ntk + to_slow * (slowed - ntk) - stock)
    assert found.tolist() == pytest.approx(by_hand.tolist(), rel=1e-12)


@pytest.mark.parametrize("t", [0.0, 1e-3, 0.007, 0.02, 0.05, 0.3])
def test_yarns_ramps_never_turn_over(t):
    """Little noise leaves every pair between its own frequency and the interpolated one, slow pairs changed most."""
    stock = FLUX
    found = yarn(FLUX, 4.0, 64, torch.tensor(t, dtype=torch.float64) ** 2)
    slowed = stock / found
    assert (slowed >= 1 - 1e-12).all()
    assert (slowed <= 4 + 1e-12).all()
    assert (slowed.diff() >= -1e-12).all()
    if t <= 0.007:
        assert torch.equal(found, stock)


@pytest.mark.parametrize("rule", POSITION_RULES)
def test_a_scale_of_one_changes_nothing(rule):
    for noise in (None, 1.0, 0.3):
        assert torch.equal(frequencies(rule, FLUX, 1.0, 64, noise), FLUX)


def test_dynamic_rules_end_at_the_stock_frequencies_and_begin_beyond_the_static_rule():
    stock = FLUX
    for rule in POSITION_RULES:
        last = frequencies(rule, FLUX, 2.0, 64, torch.tensor(0.0))
        assert last.tolist() == pytest.approx(stock.tolist(), rel=1e-12)
    first = frequencies("interpolate", FLUX, 2.0, 64, 1.0)
    assert first.tolist() == pytest.approx((stock / 4).tolist())  # 2^(2 x 1^2)
    middle = frequencies("ntk", FLUX, 2.0, 64, torch.tensor(0.5))
    assert middle.tolist() == pytest.approx(ntk_aware(FLUX, math.sqrt(2)).tolist())  # 2^(2 x .5^2)


def test_whole_turns_close_the_circle():
    found = whole_turns(stock_frequencies(28, 10_000), 32)
    turns = found * 32 / (2 * math.pi)
    assert turns.tolist() == pytest.approx(
        [5, 3, 1, 1, *[0] * 10], abs=1e-12
    )  # of 5.09, 2.64, 1.37, .71, .37 ...


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("none", 1.0), ("yarn", 1 + 0.1 * math.log(2)), ("proportional", math.sqrt(math.sqrt(1.1536)))],
)
def test_temperature(kind, expected):
    """Proportional: 1.074 on the logits at 2048 px against 1024, both with 512 tokens of text."""
    found = temperature(kind, 2.0, 128**2 + 512, 64**2 + 512)
    assert found == pytest.approx(expected, rel=1e-3)
    assert temperature(kind, 1.0, 64**2, 64**2) == 1


def test_temperatures_on_the_logits_at_4096_pixels():
    assert temperature("yarn", 4.0, 1, 1) ** 2 == pytest.approx(1.296, abs=1e-3)
    assert temperature("proportional", 4.0, 256**2 + 512, 64**2 + 512) ** 2 == pytest.approx(1.147, abs=1e-3)
