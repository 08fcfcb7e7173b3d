"""Where in which run a call of the UNet is."""

from types import SimpleNamespace

import pytest
import torch

from fouriscale import FouriScaleConfig
from fouriscale.hooks.place import find_place
from fouriscale.hooks.steps import Steps

CONFIG = FouriScaleConfig(
    training_sizes=((128, 128), (96, 192)), layers=["mid_block.*"], start=0.25, stop=0.75
)
TIMESTEPS = torch.tensor([900, 650, 400, 150])


def place(height, width, timestep, timesteps=TIMESTEPS, config=CONFIG):
    """Of a call with a sample of so many latent pixels, 8 pixels each."""
    pipe = SimpleNamespace(vae_scale_factor=8, scheduler=SimpleNamespace(timesteps=timesteps))
    return find_place(pipe, config, torch.zeros(2, 4, height, width), timestep, Steps())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 24), (8, 16)])
def test_within_a_training_size_there_is_none(height, width):
    assert place(height, width, 900) is None


def test_sizes_are_in_latent_pixels_and_the_factor_is_that_of_both_axes():
    square = place(32, 32, 900)
    assert (square.latent_size, square.training_size, square.factor) == ((32, 32), (16, 16), 2)
    wide = place(36, 72, 900)  # 288 x 576 pixels: 3 times 96 x 192
    assert (wide.latent_size, wide.training_size, wide.factor) == ((36, 72), (12, 24), 3)


def test_a_training_size_that_the_latents_do_not_divide_is_rounded_up():
    odd = place(32, 32, 900, config=CONFIG.replace(training_sizes=((132, 132),)))
    assert odd.training_size == (17, 17)


@pytest.mark.parametrize("kind", [float, torch.tensor, lambda now: torch.tensor([now, now])])
def test_the_step_is_looked_up(kind):
    assert [place(32, 32, kind(now)).step for now in (900, 650, 400, 150)] == [0, 1, 2, 3]


def test_a_timestep_between_two_is_the_nearest():
    assert place(32, 32, 640.5).step == 1
    assert place(32, 32, 999).step == 0


def test_a_run_that_begins_in_its_midst_is_scheduled_whole():
    """Image-to-image calls the UNet from the second step on; the scheduler has all four."""
    first = place(32, 32, 650)
    assert (first.schedule.start, first.schedule.stop, first.step) == (1, 3, 1)


def test_it_is_active_until_stop():
    assert [place(32, 32, now).active for now in (900, 650, 400, 150)] == [True, True, True, False]
