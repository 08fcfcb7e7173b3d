import pytest
from hypothesis import given
from hypothesis import strategies as st

from fouriscale import FouriScaleConfig
from fouriscale.maths.schedule import GridSchedule, Schedule, paper_span, to_step


def test_dilation_falls_linearly_from_start_to_stop():
    schedule = Schedule(dilation=4, start=2, stop=5)
    # (4 - 1) (5 - i) / 3 + 1 for i = 2, 3, 4
    assert [schedule.at(i) for i in range(8)] == [4, 4, 4, 3, 2, 1, 1, 1]
    assert [schedule.active(i) for i in range(8)] == [True] * 5 + [False] * 3


def test_without_annealing_it_stays_until_stop():
    schedule = Schedule(dilation=2, start=2, stop=5, anneal=False)
    assert [schedule.at(i) for i in range(7)] == [2, 2, 2, 2, 2, 1, 1]


def test_dilation_one_is_never_active():
    assert not any(Schedule(dilation=1, start=10, stop=30).active(i) for i in range(50))


@pytest.mark.parametrize(
    ("ratio", "span"), [(4, (0.2, 0.6)), (6.25, (0.2, 0.6)), (8, (0.4, 0.7)), (16, (0.4, 0.7))]
)
def test_papers_span_by_area(ratio, span):
    assert paper_span(ratio) == span


@pytest.mark.parametrize(
    ("fraction", "steps", "step"), [(0.5, 1, 1), (0.49, 1, 0), (0.6, 50, 30), (0.1, 4, 0), (0.125, 4, 1)]
)
def test_fractions_become_steps(fraction, steps, step):
    assert to_step(fraction, steps) == step


def test_config_gives_the_published_steps():
    sd15, sdxl = FouriScaleConfig.preset("sd15"), FouriScaleConfig.preset("sdxl")
    assert sd15.schedule(1024, 1024, 50) == Schedule(2, 10, 30)
    assert sd15.schedule(1280, 1280, 50) == Schedule(3, 10, 30)
    assert sd15.schedule(2048, 1024, 50) == Schedule(4, 20, 35)
    assert sdxl.schedule(2048, 2048, 50) == Schedule(2, 20, 35)
    assert sd15.schedule(1024, 1024, 1).active(0)
    assert not FouriScaleConfig.preset("sd15", start=0.1, stop=0.4).schedule(1024, 1024, 1).active(0)


@given(st.integers(1, 8), st.integers(0, 30), st.integers(0, 30), st.booleans(), st.integers(0, 40))
def test_dilation_stays_between_one_and_full(dilation, start, stop, anneal, step):
    schedule = Schedule(dilation, start, stop, anneal)
    assert 1 <= schedule.at(step) <= dilation
    assert schedule.at(step + 1) <= schedule.at(step)


def test_a_grid_of_the_training_size_stays_until_its_end():
    schedule = GridSchedule(2.5, start=1, phases=((4, 1.0),))
    assert [schedule.at(i) for i in range(6)] == [2.5] * 4 + [1.0] * 2
    assert [schedule.active(i) for i in range(6)] == [True] * 4 + [False] * 2


def test_grids_grow_from_phase_to_phase_and_never_beyond_the_picture():
    schedule = GridSchedule(3.0, start=0, phases=((2, 0.75), (3, 1.5), (5, 4.0)))
    assert [schedule.at(i) for i in range(6)] == [4.0, 4.0, 2.0, 1.0, 1.0, 1.0]
    assert [schedule.active(i) for i in range(6)] == [True] * 3 + [False] * 3


def test_phases_that_round_to_one_step_have_no_part_of_the_run():
    assert [GridSchedule(2.0, 0, ((1, 1.0), (1, 1.5), (2, 1.25))).at(i) for i in range(3)] == [2.0, 1.6, 1.0]


def test_config_gives_the_grids_schedule():
    fast = FouriScaleConfig.preset("sdxl", mode="fast")
    assert fast.schedule(2048, 2048, 50) == GridSchedule(2.0, 20, ((40, 1.0),))
    assert fast.schedule(1024, 1024, 50) == GridSchedule(1, 20, ((40, 1.0),))  # within the training size
    assert not fast.schedule(1024, 1024, 50).active(0)
    assert fast.schedule(1536, 1536, 50).at(39) == pytest.approx(1.5)
    grown = fast.replace(grid_phases=[[0.5, 1], [0.75, 1.5]])
    assert grown.schedule(2048, 2048, 10) == GridSchedule(2.0, 4, ((5, 1.0), (8, 1.5)))


@given(
    st.floats(1, 8),
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, 100)), min_size=1),
    st.integers(0, 60),
)
def test_grids_never_shrink_during_a_run(dilation, pairs, step):
    steps, times = zip(*pairs, strict=True)
    schedule = GridSchedule(dilation, 0, tuple(zip(sorted(steps), sorted(times), strict=True)))
    assert 1 <= schedule.at(step + 1) <= schedule.at(step)
    assert schedule.active(step) == (schedule.at(step) > 1)
