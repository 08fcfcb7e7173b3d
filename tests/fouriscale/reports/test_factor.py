"""What progress says of a step."""

import pytest

from fouriscale import FouriScaleConfig, PositionConfig
from fouriscale.reports.factor import factor_of

PAPER = FouriScaleConfig.preset("sdxl", mode="paper")


@pytest.mark.parametrize(
    ("config", "factor", "said"),
    [
        (PAPER, 2.0, ", dilation 2.00"),
        (PAPER.replace(mode="fast"), 2.0, ", grid 2.00 times smaller"),
        (PAPER, 1.0, ""),
        (PositionConfig.preset("flux"), 1.0, ""),
        (None, 1.0, ""),
    ],
)
def test_what_is_done_in_a_step(config, factor, said):
    assert factor_of(config, factor) == said
