"""The flattest part of a picture, from pictures made by hand."""

import numpy as np
import pytest
from PIL import Image

from fouriscale.reports.flat_areas import flattest_area


def picture(values):
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")


def test_a_slope_is_flat_and_an_edge_is_not():
    slope = np.add.outer(np.arange(128) * 1.0, np.arange(128) * 0.5)
    slope[:, :64] = np.where(np.arange(64) % 2, 0, 200)  # stripes on the left
    area = flattest_area(picture(slope))
    assert (area.left, area.side) == (64, 64)
    assert area.speckle < 0.5  # rounding to whole grey levels


def test_speckle_is_measured_where_it_is_least():
    values = np.full((128, 128), 100.0)
    values[::2] += 20
    values[64:, 64:] = 100
    values[64::2, 64:] += 4  # every other row, so 2 above or below the mean
    area = flattest_area(picture(values))
    assert (area.left, area.top) == (64, 64)
    assert area.speckle == pytest.approx(2, abs=0.01)


def test_small_pictures_have_smaller_parts():
    assert flattest_area(picture(np.full((8, 40), 7.0))).side == 4
