"""Durations on both sides of every limit, and bytes."""

import pytest

from picturelab.amounts import duration, gibibytes


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (179, "179 s"),
        (179.6, "3 min"),
        (185, "3 min"),
        (7_000, "117 min"),
        (7_199, "2 h 0 min"),
        (8_012, "2 h 14 min"),
    ],
)
def test_duration(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 GiB"),
        (2**28, "0.25 GiB"),
        (5_136_000_000, "4.78 GiB"),
        (24 * 2**30, "24 GiB"),
        (4321 * 2**30, "4,321 GiB"),
    ],
)
def test_gibibytes(count, said):
    assert gibibytes(count) == said
