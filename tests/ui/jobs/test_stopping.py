"""Models that stop between blocks once their job is cancelled, and count their calls."""

import threading

import pytest
import torch
from torch import nn

from picturelab_ui.jobs.page_job import Cancelled
from picturelab_ui.jobs.runner import Runner
from picturelab_ui.jobs.stopping import counted, stoppable


@pytest.fixture
def runner():
    runner = Runner()
    yield runner
    runner.close()


def test_calls_count_as_steps_up_to_the_expected_number(runner):
    model, seen = nn.Identity(), []

    def work(job):
        with counted(model, job, 2, "looking", first=3):
            for _ in range(3):
                model(torch.zeros(()))
                seen.append((job.done, job.of, job.note))

    assert runner.submit(work).wait(5)
    assert seen == [(4, 5, "looking, step 1 of 2"), *[(5, 5, "looking, step 2 of 2")] * 2]
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_a_model_stops_between_its_blocks_and_is_left_as_it_was(runner):
    seen = []

    class Block(nn.Module):
        def forward(self, x):
            seen.append(float(x))
            runner.cancel(job)
            return x + 1

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Block(), Block()])

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return x

    model, ready = Model(), threading.Event()

    def work(own):
        ready.wait(5)
        with stoppable(model, own):
            return model(torch.zeros(()))

    job = runner.submit(work)
    ready.set()
    assert job.wait(5)
    assert (job.state, seen) == ("cancelled", [0.0])  # the second block was never entered
    assert not any(module._forward_pre_hooks for module in model.modules())
    with pytest.raises(Cancelled):
        job.check()
