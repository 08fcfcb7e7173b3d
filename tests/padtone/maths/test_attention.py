"""Probabilities of attention, against values worked out by hand."""

import torch

from padtone.maths.attention import attention_probabilities


def test_probabilities_by_hand():
    query, key = torch.tensor([[[1.0], [2.0]]]), torch.tensor([[[0.0], [1.0]]])
    found = attention_probabilities(query, key, torch.tensor([1]), None, 1.0)
    assert torch.allclose(found, torch.tensor([[[1.0, 2.718281828**2]]]) / (1 + 2.718281828**2))
    bias = torch.tensor([[[0.0, float("-inf")]]])
    assert attention_probabilities(query, key, torch.tensor([0]), bias, None).tolist() == [[[1.0, 0.0]]]


def test_grouped_queries_share_keys():
    query, key = torch.randn(4, 3, 8), torch.randn(2, 5, 8)
    found = attention_probabilities(query, key, torch.arange(3), None, None)
    alone = attention_probabilities(query[3:], key[1:], torch.arange(3), None, None)
    assert torch.allclose(found[3:], alone)
