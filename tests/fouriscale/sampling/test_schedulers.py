"""Schedulers of strangers' recipes: made of plain values, or refused before anything is loaded or looked up."""

import pytest

from fouriscale.sampling.fitting import check_fits
from fouriscale.sampling.schedulers import recorded_scheduler
from tests.tiny.shapeworld_pipeline import untrained_pipeline


def test_a_good_one():
    config = {"num_train_timesteps": 100, "clip_sample": False, "another_schedulers": 3}
    scheduler = recorded_scheduler({"class": "DDIMScheduler", "config": config}, 100)
    assert (scheduler.config.num_train_timesteps, scheduler.config.clip_sample) == (100, False)
    assert "another_schedulers" not in scheduler.config
    infinite = {"class": "DPMSolverMultistepScheduler", "config": {"lambda_min_clipped": -float("inf")}}
    assert recorded_scheduler(infinite, 5).config.lambda_min_clipped == -float("inf")


@pytest.mark.parametrize(
    ("recorded", "sentence"),
    [
        (
            {"class": "DDIMScheduler", "config": "owner/name"},
            "config is 'owner/name': must be a mapping of settings",
        ),
        ({"class": "DDIMScheduler", "config": ["a"]}, r"config is \['a'\]: must be a mapping"),
        (
            {"class": "DDIMScheduler", "config": {"num_train_timesteps": 10**10}},
            "num_train_timesteps=10000000000:",
        ),
        ({"class": "DDIMScheduler", "config": {"beta_end": float("nan")}}, "beta_end=nan: must be"),
        ({"class": "DDIMScheduler", "config": {"trained_betas": [0.1] * 10_001}}, "trained_betas="),
        ({"class": "DDIMScheduler", "config": {"trained_betas": {"a": 1}}}, "trained_betas="),
        (
            {"class": "DDIMScheduler", "config": {"beta_schedule": "x"}},
            "cannot be set up for 20 steps from its config",
        ),
        ({"class": "DDIMScheduler", "config": {"num_train_timesteps": 10}}, "cannot be set up for 20 steps"),
        ({"class": "DDIMScheduler", "config": {"num_train_timesteps": 0}}, "cannot be set up for 20 steps"),
        ({"class": "SchedulerMixin", "config": {}}, "'SchedulerMixin' is none of diffusers'"),
        ({"class": "../x/Scheduler"}, "is none of diffusers'"),
        ({"class": ["DDIMScheduler"]}, "is none of diffusers'"),
        ({}, "None is none of diffusers'"),
    ],
)
def test_others_are_one_sentence(recorded, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        recorded_scheduler(recorded, 20)
    assert "\n" not in str(caught.value)


def test_a_size_that_no_machine_holds_is_refused():
    pipe = untrained_pipeline()
    check_fits(pipe, 256, 256, 1)
    with pytest.raises(
        ValueError, match=r"width 32768, height 32768, 1024 at once needs [\d,]+ GiB at least"
    ):
        check_fits(pipe, 32_768, 32_768, 1024)
