"""Rows behind the prompt, and how alike they are."""

import math

import pytest
import torch

from padtone.maths.places import likeness_of_others, rows_behind


def test_rows_behind_the_prompt():
    values = torch.arange(5.0)[:, None]
    found = rows_behind(values, ("eos", "prompt", "eos", "padding", "padding"))
    assert {role: rows.flatten().tolist() for role, rows in found.items()} == {
        "eos": [2.0],
        "padding": [3.0, 4.0],
    }
    assert rows_behind(values[:2], ("bos", "prompt")) == {}


def test_likeness_by_hand():
    """Three texts: at the first place alike, at the second at right angles or half of it, at the third zeros."""
    half = 1 / math.sqrt(2)
    texts = [
        torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),
        torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
        torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 5.0], [9.0, 9.0]]),
    ]
    expected = [[1, half / 2, 0.5], [1, half / 2, 0.5], [1, half, 0]]
    assert likeness_of_others(texts).tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


def test_one_text_has_no_others():
    with pytest.raises(ValueError, match="takes two or more, got 1"):
        likeness_of_others([torch.ones(2, 2)])
