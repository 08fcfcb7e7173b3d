"""What a cascade would do and cost, before any weight is loaded."""

import functools

import pytest

from fouriscale import FouriScaleConfig
from fouriscale.cli import main
from fouriscale.loading.configs import unet_config
from fouriscale.reports.explain import explain
from fouriscale.reports.explain_words import sentences
from fouriscale.sampling.cascade import Cascade
from tests.tiny import unet_pipelines

CONFIG = FouriScaleConfig.preset("shapeworld", mode="fast", grid_phases=[[0.5, 1]])
TINY = unet_pipelines.unet("SD").config


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
    # Steps 2 to 4 are run; the grid lasts until step 2.
    assert parts.dilations == (2.0, 1.0, 1.0)
    assert (
        "steps: of the last 3 of 4 the first 1 on the grid, the others with self-attention to downsampled keys"
        in (lines)
    )
    assert [phase.stop for phase in parts.grids] == [2]
    assert any(
        line.startswith(f"cost: {parts.step_cost:.2f} times") and "first finishing step" in line
        for line in lines
    )
    assert not any(
        "cascade" in line or "both parts" in line or "finishing" in line for line in sentences(once)
    )
    with pytest.raises(
        ValueError, match=r"^cascade_strength=0\.5: none of the last 2 of 4 steps is on the grid"
    ):
        about(256, 256, steps=4, cascade=Cascade(strength=0.5))
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


@pytest.mark.slow
def test_only_steps_that_run_count():
    two = unet_pipelines.CONFIG.replace(mode="fast", grid_phases=[[0.25, 1], [0.75, 1.5]])
    about = functools.partial(explain, TINY, 256, 256, steps=4)
    parts = about(config=two, cascade=Cascade(strength=0.5))
    assert [phase.stop for phase in parts.grids] == [3]  # the first phase ends before they begin
    assert parts.dilations == (pytest.approx(4 / 3), 1.0)
    dilated = unet_pipelines.CONFIG.replace(mode="paper", start=0.25, stop=0.75)
    late = about(config=dilated, cascade=Cascade(strength=0.5))
    assert late.dilations == (1.5, 1.0)
    lines = sentences(late)
    assert any(line.startswith("steps: of the last 2 of 4 the first 1 active") for line in lines)


@pytest.mark.slow
def test_where_it_is_sampled_once_there_is_one_part():
    # The published rule dilates at 136 x 136, and yet nothing is enlarged there.
    config = unet_pipelines.CONFIG.replace(mode="paper", size_rule="published")
    once = explain(TINY, 136, 136, steps=2, config=config, cascade=Cascade())
    lines = sentences(once)
    assert lines[1].startswith("cascade: none, since the size is at most a tenth beyond the training size: ")
    assert any("times over the run" in line and "in the first step" in line for line in lines)
    assert len(once.dilations) == 2


def test_a_detail_without_a_cascade(run):
    code, _, err = run("explain", "--size", "256x256", "--cascade-strength", "0.4")
    assert (code, err.count("\n")) == (2, 1)
    assert "cascade_strength=0.4: needs a cascade (--cascade" in err
