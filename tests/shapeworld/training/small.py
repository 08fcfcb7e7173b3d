"""A training that is nothing but the loop: one layer, no pictures."""

import itertools
from collections.abc import Callable, Generator

import torch
from torch import nn

from shapeworld.training.settings import DenoiserStage

STAGE = DenoiserStage(pixels=32, scenes=1, images=8, batch=2, lr=1e-2)


class Killed(BaseException):
    """Stands for a signal: nothing of the training may catch it."""


class Identity(nn.Module):
    """Learns to give back what it is given: a matrix for Muon, a bias for AdamW. `each_time` runs with every step."""

    def __init__(self, each_time: Callable[[], None] = lambda: None):
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.each_time = each_time

    def forward(self, values, generator):
        assert isinstance(generator, torch.Generator)
        self.each_time()
        loss = (self.linear(values) - values).square().mean()
        return loss, loss


def batches(first: int) -> Generator[tuple, None, None]:
    for step in itertools.count(first):
        generator = torch.Generator().manual_seed(step)
        yield torch.randn(2, 32, generator=generator), generator
