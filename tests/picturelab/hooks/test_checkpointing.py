"""Both instruments on one UNet in a training loop with gradient checkpointing: nothing piles up, all is put back."""

import functools
from contextlib import ExitStack, contextmanager

import pytest
import torch
from torch import nn

import padtone
from fouriscale import fouriscale
from picturelab.hooks.checkpointing import FUNCTION, CheckpointFollower
from tests.tiny import text_pipelines
from tests.tiny.unet_pipelines import CONFIG


class Model(nn.Module):
    """Parts that are checkpointed with `self.function`, and remember which blocks they ran in."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Identity(), nn.Identity()])
        for part in self.parts:
            setattr(part, FUNCTION, self.function)
        self.again, self.states = [], []

    def function(self, part, *args):
        self.again.append(functools.partial(part, *args))
        return part(*args)

    def run(self):
        for part in self.parts:
            getattr(part, FUNCTION)(lambda: self.states.append(tuple(Carried.here)))


class Carried:
    """What carries a value along that changes with each run."""

    here: tuple = ()

    def __init__(self, name):
        self.name, self.value = name, 0

    def carry(self):
        return functools.partial(self.within, self.value)

    @contextmanager
    def within(self, value):
        before, Carried.here = Carried.here, (*Carried.here, (self.name, value))
        try:
            yield
        finally:
            Carried.here = before


def functions(model):
    return [vars(module).get(FUNCTION) for module in model.modules()]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_state_is_carried_once_however_many_calls(order):
    model, carried = Model(), [Carried("a"), Carried("b")]
    before = functions(model)
    followers = [CheckpointFollower(one.carry) for one in carried]
    for i in range(300):
        for one, follower in zip(carried, followers, strict=True):
            one.value = i
            follower.follow(model)
        model.run()
    expected = [(("a", i), ("b", i)) for i in range(300) for _ in model.parts]
    assert model.states == expected
    for one in carried:
        one.value = -1
    model.states.clear()
    for part in model.again:  # in the backward pass, when later calls have long begun
        part()
    assert model.states == expected
    first, last = (followers[i] for i in order)
    first.leave()
    model.run()
    assert model.states[-1] == ((carried[order[1]].name, -1),)
    last.leave()
    assert functions(model) == before


def test_functions_that_are_set_anew_are_followed_and_left_as_they_were_set():
    model, one = Model(), Carried("a")
    follower = CheckpointFollower(one.carry)
    follower.follow(model)
    stale = functions(model)
    for part in model.parts:
        setattr(part, FUNCTION, model.function)
    before = functions(model)
    follower.follow(model)
    model.run()
    assert model.states == [(("a", 0),)] * 2
    follower.leave()
    assert functions(model) == before
    stale[-1](lambda: model.states.append(Carried.here))  # somebody may have kept it
    assert model.states[-1] == ()


def test_somebody_elses_function_around_ours_stays():
    model, one = Model(), Carried("a")
    follower = CheckpointFollower(one.carry)
    follower.follow(model)
    for part in model.parts:
        setattr(part, FUNCTION, functools.partial(getattr(part, FUNCTION)))
    theirs = functions(model)
    for _ in range(3):
        follower.follow(model)
    model.run()
    assert model.states == [(("a", 0),)] * 2
    follower.leave()
    assert functions(model) == theirs
    model.run()
    assert model.states[-1] == ()


def test_without_gradients_nothing_is_followed():
    model = Model()
    before = functions(model)
    with torch.no_grad():
        CheckpointFollower(Carried("a").carry).follow(model)
    assert functions(model) == before


def gradient(unet, text):
    """Of what the UNet makes of noise beyond its training size."""
    sample = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    unet(sample, 900, encoder_hidden_states=text).sample.square().mean().backward()
    return sample.grad


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_training_loop_with_both_instruments(order):
    pipe = text_pipelines.fresh("sd1")
    unet = pipe.unet.train()
    pipe.scheduler.set_timesteps(4)
    blocks = [
        fouriscale(unet, CONFIG.replace(third_branch=False), scheduler=pipe.scheduler, guided=False),
        padtone.mask_padding(pipe),
    ]
    with torch.no_grad():
        text = pipe.encode_prompt("a red cat", "cpu", 1, False)[0]
    without = gradient(unet, text)
    with ExitStack() as stack:
        for i in order:
            stack.enter_context(blocks[i])
        with torch.no_grad():
            text = pipe.encode_prompt("a red cat", "cpu", 1, False)[0]
        expected = gradient(unet, text)
        for turn in range(2):
            unet.enable_gradient_checkpointing()
            before = functions(unet)
            for _ in range(6):
                unet(torch.zeros(1, 4, 8, 8), 900, encoder_hidden_states=text)
            ours = functions(unet)
            assert ours != before
            torch.testing.assert_close(gradient(unet, text), expected, rtol=1e-4, atol=1e-9)
            assert functions(unet) == ours, turn
    assert functions(unet) == before
    assert not torch.allclose(expected, without, rtol=1e-2)
