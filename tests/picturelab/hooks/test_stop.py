"""Where a denoiser can be followed and stopped."""

import pytest
import torch
from torch import nn

from picturelab.hooks.stop import after_each_call, before_each_block, before_each_call


def _model():
    return nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU())), nn.Identity())


def test_the_module_its_children_and_theirs_ask_first():
    model, calls = _model(), []
    with before_each_block(model, lambda: calls.append(1)):
        model(torch.ones(1, 2))
    assert len(calls) == 5  # the model, two children, two of theirs; the ReLU lies deeper
    model(torch.ones(1, 2))
    assert len(calls) == 5
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_what_a_check_raises_ends_the_call_and_leaves_nothing():
    model = _model()

    def refuse():
        raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"), before_each_block(model, refuse):
        model(torch.ones(1, 2))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_calls_are_counted_when_they_have_ended():
    model, calls = _model(), []
    with (
        before_each_block(model, lambda: calls.append("block")),
        after_each_call(model, lambda: calls.append("call")),
    ):
        model(torch.ones(1, 2))
        model(torch.ones(1, 2))
    assert calls == [*["block"] * 5, "call"] * 2
    assert not model._forward_hooks


def test_a_call_waits_before_all_of_its_blocks():
    model, calls = _model(), []
    with (
        before_each_call(model, lambda: calls.append("call")),
        before_each_block(model, lambda: calls.append("block")),
    ):
        model(torch.ones(1, 2))
    assert calls == ["call", *["block"] * 5]
    assert not model._forward_pre_hooks
