"""What a cascade would do and cost, before any weight is loaded."""

import functools

import pytest

from fouriscale import FouriScaleConfig
from fouriscale.cli import main
from fouriscale.loading.configs import unet_config
from fouriscale.reports.explain import explain, sentences
from fouriscale.sampling.cascade import Cascade

CONFIG = FouriScaleConfig.preset("shapeworld", mode="fast", grid_phases=[[0.5, 1]])


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.mark.slow
def test_both_parts_are_counted():
    about = functools.partial(explain, unet_config("shapeworld"), config=CONFIG, vae_scale_factor=4)
    once, small = about(256, 256, steps=4), about(128, 128, steps=4)
    parts = about(256, 256, steps=4, cascade=Cascade(strength=0.75))
    late = 2 * once.run_cost - once.step_cost  # two steps on the grid, two beyond it
    finishing = once.step_cost + 2 * late
    assert parts.run_cost == pytest.approx((4 * small.direct_cost / once.direct_cost + finishing) / 4)
    lines = sentences(parts)
    assert lines[1] == (
        "cascade: 4 steps at width 128, height 128, sampled directly; enlarged as pixels; then the last 3 of 4 steps "
        "(strength 0.75) at width 256, height 256"
    )
    assert any(f"{parts.run_cost:.2f} times over both parts of the run" in line for line in lines)
    assert not any("cascade" in line or "both parts" in line for line in sentences(once))
    with pytest.raises(
        ValueError, match=r"^cascade_strength=0\.1, steps=4: strength x steps must be at least 1"
    ):
        about(256, 256, steps=4, cascade=Cascade(strength=0.1))


@pytest.mark.slow
def test_on_the_command_line(run):
    code, out, _ = run(
        "explain", "--size", "160x160", "--steps", "2", "--cascade", "--cascade-strength", "0.5"
    )
    assert code == 0
    assert "\ncascade: 2 steps at width 128, height 128," in out
    assert "\nmode: fast: deep grid" in out


def test_a_detail_without_a_cascade(run):
    code, _, err = run("explain", "--size", "256x256", "--cascade-strength", "0.4")
    assert (code, err.count("\n")) == (2, 1)
    assert "cascade_strength=0.4: needs a cascade (--cascade" in err
