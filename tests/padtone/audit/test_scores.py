"""What is specific to a prompt, against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from padtone.audit.scores import distances, own


def test_own_by_hand():
    """Three prompts, one seed; unit vectors with known angles."""
    angle = [0.0, 60.0, 90.0]
    pictures = torch.tensor([[[math.cos(math.radians(d)), math.sin(math.radians(d))]] for d in angle])
    alike = np.cos(np.radians(np.subtract.outer(angle, angle)))
    found = own(pictures, pictures)[:, 0]
    for i in range(3):
        centred = 1 - alike[i].mean() - alike[:, i].mean() + alike.mean()
        assert found[i] == pytest.approx(1.5 * centred, abs=1e-6)
    foreign = [alike[i, j] for i in range(3) for j in range(3) if i != j]
    assert found.mean() == pytest.approx(1 - np.mean(foreign), abs=1e-6)


def test_own_is_zero_for_pictures_that_know_no_prompt():
    """The same picture for every prompt, whatever the targets: nothing is specific."""
    generator = torch.Generator().manual_seed(0)
    same = torch.randn(1, 2, 5, generator=generator).expand(4, 2, 5)
    targets = torch.randn(4, 2, 5, generator=generator)
    assert own(same, targets) == pytest.approx(np.zeros((4, 2)), abs=2e-6)


def test_distances_by_hand():
    """Two prompts, two seeds, at known angles: 0 and 60 degrees; 90 and 90."""
    angles = np.radians([[0.0, 60.0], [90.0, 90.0]])
    pictures = torch.tensor(np.stack([np.cos(angles), np.sin(angles)], -1))
    between_prompts, between_seeds = distances(pictures)
    both = (1 - math.cos(math.radians(90)) + 1 - math.cos(math.radians(30))) / 2
    assert between_prompts == pytest.approx([both, both], abs=1e-6)
    assert between_seeds == pytest.approx([0.5, 0.0], abs=1e-6)
