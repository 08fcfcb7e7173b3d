"""Layers by their names: on which level they work, and which patterns mean them."""

import pytest
import torch

from fouriscale.hooks.modules import _at_or_below, level_of, self_attentions
from tests.tiny.golden import load_case


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("conv_in", None),
        ("conv_out", None),
        ("down_blocks.0.resnets.0.conv1", 0),
        ("down_blocks.2.resnets.1.conv2", 2),
        ("down_blocks.1.downsamplers.0.conv", 1),
        ("mid_block.resnets.0.conv1", 3),
        ("up_blocks.0.resnets.0.conv1", 3),
        ("up_blocks.0.upsamplers.0.conv", 2),
        ("up_blocks.2.upsamplers.0.conv", 0),
        ("up_blocks.3.resnets.2.conv2.base_layer", 0),
    ],
)
def test_level_by_hand_in_a_unet_of_four(name, level):
    assert level_of(name, 4) == level


def test_levels_are_those_that_the_maps_show():
    """A convolution on level n reads maps that are 2^n times smaller than the sample."""
    _, _, unet = load_case("sd_square_2x")
    levels = len(unet.config["block_out_channels"])
    seen = {}

    def note(name):
        def hook(module, args):
            seen[name] = args[0].shape[-1]

        return hook

    for name, module in unet.named_modules():
        if isinstance(module, torch.nn.Conv2d) and level_of(name, levels) is not None:
            module.register_forward_pre_hook(note(name))
    with torch.no_grad():
        unet(torch.randn(1, 4, 32, 32), 1, torch.randn(1, 77, unet.config["cross_attention_dim"]))
    assert len(seen) > 30
    assert {name: 32 >> level_of(name, levels) for name in seen} == seen


def test_self_attentions_are_those_named_attn1():
    _, _, unet = load_case("sd_square_2x")
    levels = len(unet.config["block_out_channels"])
    named = {
        module: level_of(name, levels) for name, module in unet.named_modules() if name.endswith(".attn1")
    }
    assert named
    assert self_attentions(unet) == named


@pytest.mark.parametrize(
    ("name", "patterns", "meant"),
    [
        ("down_blocks.1.resnets.0.conv1", ["down_blocks.1"], True),
        ("down_blocks.1.resnets.0.conv1", ["down_blocks.*.resnets.*"], True),
        ("down_blocks.1.resnets.0.conv1", ["down_blocks.[23].resnets.*"], False),
        ("down_blocks.1.resnets.0.conv1", ["resnets"], False),
        ("down_blocks.1.resnets.0.conv1", ["*.resnets"], True),
        ("down_blocks.1.resnets.0.conv1", ["Down_blocks.1"], False),
        ("down_blocks.1.resnets.0.conv1.base_layer", ["down_blocks.1.resnets.0.conv1"], True),
        ("down_blocks.1.resnets.0", ["down_blocks.1.resnets.0.conv1"], False),
        ("mid_block.resnets.0.conv1", ["up_blocks.*", "mid_block"], True),
        ("mid_block.resnets.0.conv1", [], False),
    ],
)
def test_a_pattern_means_a_module_and_all_inside_it(name, patterns, meant):
    assert _at_or_below(name, patterns) is meant
