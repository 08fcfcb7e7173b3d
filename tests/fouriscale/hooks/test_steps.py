"""Which step of its run a call is."""

import pytest
import torch

from benchmarks.operators import Operators
from fouriscale.hooks.steps import Steps

TIMESTEPS = torch.tensor([900.0, 650.0, 650.0, 150.0])  # schedulers of second order have some twice


@pytest.mark.parametrize(
    "timesteps", [TIMESTEPS, TIMESTEPS.long(), TIMESTEPS.flip(0)], ids=["", "whole", "rising"]
)
def test_an_entry_of_the_timesteps_is_the_first_step_of_its_value(timesteps):
    steps = Steps()
    found = [steps.find(timesteps, timestep)[0] for timestep in timesteps]
    assert sorted(found) == [0, 1, 1, 3]
    assert found == [steps.find(timesteps, timestep.clone())[0] for timestep in timesteps]
    assert found == [steps.find(timesteps, float(timestep))[0] for timestep in timesteps]
    assert found == [steps.find(timesteps, timestep.expand(2))[0] for timestep in timesteps]


def test_an_entry_is_found_without_any_operator():
    steps, late = Steps(), TIMESTEPS[3]
    steps.find(TIMESTEPS, late)
    with Operators() as operators:
        assert steps.find(TIMESTEPS, late)[0] == 3
    assert operators.count.operators == 0


def test_timesteps_that_are_written_to_are_read_again():
    steps, timesteps = Steps(), TIMESTEPS.clone()
    assert steps.find(timesteps, 600)[0] == 1
    timesteps[3] = 600
    assert steps.find(timesteps, 600)[0] == 3
    assert steps.find(timesteps, timesteps[3])[0] == 3


def test_inference_mode_keeps_nothing():
    steps = Steps()
    with torch.inference_mode():
        timesteps = TIMESTEPS.clone()
        assert steps.find(timesteps, timesteps[3])[0] == 3
        timesteps[3] = 800
        assert steps.find(timesteps, timesteps[3])[0] == 3
        assert steps.find(timesteps, 700)[0] == 1


def test_several_timesteps_in_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"timesteps 900, 650 in one batch"):
        Steps().find(TIMESTEPS, TIMESTEPS[:2])


def test_equal_timesteps_are_one_step_where_that_is_asked_for():
    """As of Heun's method, which calls the UNet twice at each but the first."""
    timesteps = torch.tensor([900.0, 700, 700, 499.99994, 500, 300, 300])
    found = [Steps().find(timesteps, one, distinct=True) for one in timesteps]
    assert found == [(0, 4), (1, 4), (1, 4), (2, 4), (2, 4), (3, 4), (3, 4)]
    assert Steps().find(timesteps, timesteps[4]) == (4, 7)
    assert Steps().find(timesteps.flip(0), timesteps[4], distinct=True) == (2, 4)
