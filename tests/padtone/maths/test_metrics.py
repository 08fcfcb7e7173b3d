"""Metrics against values worked out by hand, intervals against simulation."""

import math

import numpy as np
import pytest
import torch

from padtone.maths import metrics
from padtone.maths.metrics import bootstrap, cosine, expanded_tail, perceptual_distance, share


def test_cosine_by_hand():
    a, b = torch.tensor([[3.0, 4.0], [1.0, 0.0]]), torch.tensor([[4.0, 3.0], [0.0, -2.0]])
    assert cosine(a, b).tolist() == pytest.approx([24 / 25, 0.0])


def test_perceptual_distance_by_hand():
    """Two layers, two patches: right angles, opposite, equal and 60 degrees."""
    first = torch.tensor([[[1.0, 0.0], [2.0, 0.0]]]), torch.tensor([[[0.0, 3.0], [1.0, 0.0]]])
    second = torch.tensor([[[0.0, 5.0], [-1.0, 0.0]]]), torch.tensor([[[0.0, 1.0], [0.5, math.sqrt(0.75)]]])
    expected = ((1 + 2) / 2 + (0 + 0.5) / 2) / 2
    assert perceptual_distance(first, second).tolist() == pytest.approx([expected])
    assert perceptual_distance(first, first).tolist() == pytest.approx([0.0], abs=1e-6)


def test_bootstrap_of_two_values_by_hand():
    """Means of two draws from {0, 1} are 0, 1/2, 1; nearly all tails beyond are cut, so both ends are met."""
    found = bootstrap([0.0, 1.0])
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)
    assert bootstrap([0.25]) == bootstrap([0.25, 0.25]) == metrics.Interval(0.25, 0.25, 0.25)


def test_expanded_tail_by_hand():
    """n = 8: t of 7 degrees of freedom is 2.365; times sqrt(8/7) 2.528; that far out lie 0.573%."""
    assert expanded_tail(8) == pytest.approx(0.00573, abs=2e-5)
    assert expanded_tail(100_000) == pytest.approx(0.025, abs=1e-4)


@pytest.mark.parametrize(("draw", "expected"), [("normal", 0.94), ("exponential", 0.90)])
def test_interval_covers_what_the_page_says(draw, expected):
    """500 studies of 8 prompts; the plain percentile interval covers some six points less."""
    random = np.random.default_rng(0)
    samples = getattr(random, draw)(size=(500, 8))
    truth = {"normal": 0.0, "exponential": 1.0}[draw]
    found = [bootstrap(sample, resamples=1000) for sample in samples]
    covered = np.mean([f.low <= truth <= f.high for f in found])
    plain = [np.quantile(s[random.integers(0, 8, (1000, 8))].mean(1), [0.025, 0.975]) for s in samples]
    too_little = np.mean([low <= truth <= high for low, high in plain])
    assert covered == pytest.approx(expected, abs=0.03)  # a standard error is 1%
    assert too_little < covered - 0.02


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_bootstrap_refuses(values):
    with pytest.raises(ValueError, match="one finite figure a prompt"):
        bootstrap(values)


def test_shares_that_are_all_alike_keep_their_doubt():
    """Wilson's, by hand: z^2 = 3.8415, so 3.8415 / (8 + 3.8415) = 0.3244 of 8 prompts."""
    none, every = share([0.0] * 8), share([1.0] * 8)
    assert (none.mean, none.low, none.high) == (0, 0, pytest.approx(0.3244, abs=1e-4))
    assert (every.mean, every.low, every.high) == (1, pytest.approx(0.6756, abs=1e-4), 1)
    assert share([1.0] * 64).low == pytest.approx(0.9434, abs=1e-4)
    assert share([0.0, 0.5, 1.0, 1.0]) == bootstrap([0.0, 0.5, 1.0, 1.0])
    assert share([0.5, 0.5]) == bootstrap([0.5, 0.5])
