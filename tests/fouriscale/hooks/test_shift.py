"""The cap on a schedule's shift: several pipelines with one scheduler, copies, and another scheduler."""

import copy
import functools

import pytest
import torch

from fouriscale import apply_fouriscale, fouriscale, remove_fouriscale
from fouriscale.position_config import PositionConfig
from tests.tiny import text_pipelines
from tests.tiny.image_parts import flow


def shifting(pipe):
    """The tiny pipeline's parts in a pipeline whose scheduler is shifted."""
    parts = pipe.components | {"scheduler": flow(use_dynamic_shifting=True)}
    own = type(pipe)(**parts)
    own.set_progress_bar_config(disable=True)
    return own


def first_sigma(scheduler, mu=5.0):
    scheduler.set_timesteps(sigmas=[1.0, 0.5], mu=mu, device="cpu")
    return float(scheduler.sigmas[1])


@pytest.mark.slow
def test_pipelines_with_one_scheduler_keep_caps_of_their_own_in_any_order(tiny):
    pipe = shifting(tiny("flux"))
    other = type(pipe)(**pipe.components)
    other.set_progress_bar_config(disable=True)
    stock = first_sigma(pipe.scheduler)
    run = functools.partial(text_pipelines.run, name="flux", prompt="a red cat")
    apply_fouriscale(pipe, PositionConfig((16, 16), shift=0.25))
    apply_fouriscale(other, PositionConfig((16, 16), shift=0.125))
    last = {}
    for one in (pipe, other):
        run(one)
        last[one] = float(one.scheduler.sigmas[-2])
    assert last[pipe] > last[other]
    remove_fouriscale(other)  # goes with all that it could follow, as for UNets
    assert first_sigma(pipe.scheduler) == stock
    assert "set_timesteps" not in vars(pipe.scheduler)

    with fouriscale(pipe, PositionConfig((16, 16), shift=0.25)):
        with fouriscale(other, PositionConfig((16, 16), shift=0.125)):
            run(pipe)
            assert float(pipe.scheduler.sigmas[-2]) == last[pipe]
        run(pipe)
        assert float(pipe.scheduler.sigmas[-2]) == last[pipe]
    assert "set_timesteps" not in vars(pipe.scheduler)


def test_a_copied_scheduler_is_capped_on_its_own_timesteps(tiny):
    pipe = shifting(tiny("flux"))
    with fouriscale(pipe, PositionConfig((16, 16), shift=0.5)):
        copied = copy.deepcopy(pipe.scheduler)
        capped = first_sigma(pipe.scheduler)
        pipe.scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5], mu=0.1, device="cpu")
        assert first_sigma(copied) == capped
        assert len(pipe.scheduler.sigmas) == 4
    assert first_sigma(pipe.scheduler) > capped


@pytest.mark.slow
def test_another_scheduler_is_not_shifted_in_silence(tiny):
    pipe = shifting(tiny("flux"))
    apply_fouriscale(pipe, PositionConfig((16, 16)))
    pipe.scheduler = flow(use_dynamic_shifting=True)
    with pytest.raises(
        ValueError, match="FluxPipeline was given another FlowMatchEulerDiscreteScheduler since"
    ):
        text_pipelines.run(pipe, "flux", "a red cat")
    apply_fouriscale(pipe, PositionConfig((16, 16)))
    assert torch.isfinite(text_pipelines.run(pipe, "flux", "a red cat")).all()
    pipe.scheduler = flow()  # which nothing shifts
    assert torch.isfinite(text_pipelines.run(pipe, "flux", "a red cat")).all()
    remove_fouriscale(pipe)


def test_a_pipeline_of_ones_own_class_is_capped_too(tiny):
    pipe = tiny("flux2")
    own = type("OwnPipeline", (type(pipe),), {})(**pipe.components)
    with fouriscale(own, PositionConfig((16, 16))) as applied:
        entry = vars(applied)["_fouriscale"]
        tokens = entry.training_tokens((64, 64))
        expected = entry.family.shift(pipe, tokens[0] * tokens[1], 2)
        assert entry.most_shift({"num_inference_steps": 2}) == expected
