"""Training on another device than the CPU, by a stand-in: a move gives the parameters other memory, as a GPU does."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from shapeworld.training import stages
from shapeworld.training.stages import DenoiserStage, Run, StageTraining, TrainingConfig

STAGE = DenoiserStage(pixels=32, scenes=1, images=8, batch=2, lr=1e-2)


class Identity(nn.Module):
    """Learns to give back what it is given: a matrix for Muon, a bias for AdamW."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.batches = []

    def forward(self, values, generator):
        assert isinstance(generator, torch.Generator)
        self.batches.append(values)
        loss = (self.linear(values) - values).square().mean()
        return loss, loss


def trained(folder: Path) -> Identity:
    torch.manual_seed(0)
    module = Identity()

    def batch(_, generator):
        return torch.randn(2, 32, generator=generator), generator

    StageTraining(Run(TrainingConfig(name="unet"), folder), "stage", module, batch, STAGE)()
    return module


@pytest.fixture
def moved(monkeypatch):
    """`Accelerator.prepare` gives every parameter other memory."""
    prepare = Accelerator.prepare

    def move(accelerator, module):
        for parameter in module.parameters():
            parameter.data = parameter.data.clone()
        return prepare(accelerator, module)

    monkeypatch.setattr(Accelerator, "prepare", move)


def test_the_optimiser_follows_a_module_that_was_moved(tmp_path, moved, monkeypatch):
    elsewhere = trained(tmp_path / "elsewhere")
    monkeypatch.undo()
    here = trained(tmp_path / "here")
    torch.manual_seed(0)
    begun = Identity()
    for name, parameter in elsewhere.named_parameters():
        assert torch.equal(parameter, here.get_parameter(name)), name
        assert not torch.equal(parameter, begun.get_parameter(name)), name


def test_every_batch_is_sent_to_the_modules_device(tmp_path, monkeypatch):
    sent, devices = [], set()
    send = stages.send_to_device

    def send_and_note(batch, device):
        there = tuple(
            part.clone() if isinstance(part, torch.Tensor) else part for part in send(batch, device)
        )
        sent.append(there[0])
        devices.add(device)
        return there

    monkeypatch.setattr(stages, "send_to_device", send_and_note)
    module = trained(tmp_path)
    assert len(sent) == len(module.batches) == 4
    assert all(a is b for a, b in zip(sent, module.batches, strict=True))
    assert devices == {module.linear.weight.device}


def test_a_checkpoint_is_read_to_the_cpu(tmp_path, monkeypatch):
    """Its tensors were perhaps saved on a device that is not here."""
    trained(tmp_path)
    places = []
    load = torch.load
    monkeypatch.setattr(
        torch, "load", lambda file, **how: (places.append(how["map_location"]), load(file, **how))[1]
    )
    assert Run(TrainingConfig(name="unet"), tmp_path).checkpoint["done"] == ["stage"]
    assert places == ["cpu"]
