"""Pictures that came out of the decoder as numbers that are none."""

from types import SimpleNamespace

import torch
from torch import nn

from picturelab.hooks.finite import not_finite


def test_positions_of_broken_pictures():
    decoder = nn.Identity()
    pipe = SimpleNamespace(vae=SimpleNamespace(decoder=decoder))
    pictures = torch.zeros(4, 3, 2, 2)
    pictures[1, 0, 0, 0], pictures[3, 2, 1, 1] = torch.nan, torch.inf
    with not_finite(pipe) as places:
        decoder(pictures[:1])
        assert places == set()
        decoder(pictures)
    assert places == {1, 3}
    assert not decoder._forward_hooks
