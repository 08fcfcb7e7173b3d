"""Shares row by row become shares by role and by row of padding, worked out by hand."""

import pytest
import torch

from padtone.maths.attention import AttentionShares
from padtone.maths.attention_sizes import ADDED, at_size, groups_of_rows
from padtone.maths.roles import TokenRoles

ENTRY = TokenRoles(
    "text_encoder", ("b", "p", ".", "."), (0, 1, 2, 2), ("bos", "prompt", "padding", "padding"), range(4)
)
GROUPS = ("bos", "prompt", "eos", "template", "padding", "padding row 2", "padding row 3", "image")


def shares(added: int) -> AttentionShares:
    """Two layers of two steps and one head; the second looks at row 3 alone, and in its last step at the image."""
    first = torch.tensor([[[0.1, 0.2, 0, 0, 0, 0.3, 0.1, 0.3]], [[0.1, 0.2, 0, 0, 0.0, 0.1, 0.1, 0.5]]])
    second = torch.tensor([[[0.0, 0, 0, 0, 0, 0, 1, 0]], [[0.0, 0, 0, 0, 0, 0, 0, 1]]])
    keys = torch.tensor([1, 1, 0, 0, added, 1, 1, 6])
    return AttentionShares(GROUPS, (first, second), (4, 4), (keys, keys))


def test_each_row_of_padding_is_a_group_of_its_own():
    assert groups_of_rows([ENTRY], 5) == ["bos", "prompt", "padding row 2", "padding row 3", "padding row 4"]


def test_where_padding_gets_most():
    found = at_size(32, 16, shares(0), ["down.attn2", "up.attn2"])
    assert found.rows == (2, 3)
    assert found.shares.groups == ("bos", "prompt", "eos", "template", "padding", "image")
    assert found.shares.share("padding") == pytest.approx((0.4 + 0.2 + 1 + 0) / 4)
    assert found.shares.even("padding") == pytest.approx(2 / 10)
    assert found.by_layer().tolist() == pytest.approx([0.3, 0.5])
    assert found.by_step().tolist() == pytest.approx([0.7, 0.1])
    assert found.by_row().tolist() == pytest.approx([0.1, 0.3])
    sinks = found.sinks(1)
    assert [(name, place) for name, ((place, _),) in sinks.items()] == [
        ("layers", 1),
        ("steps", 0),
        ("rows", 3),
    ]
    plain = found.to_dict()
    assert plain["layers"] == pytest.approx({"down.attn2": 0.3, "up.attn2": 0.5})
    assert plain["sinks"]["rows"][0] == ["3", pytest.approx(0.3)]
    assert sum(plain["shares"].values()) == pytest.approx(1)


def test_padding_that_the_denoiser_adds_is_a_row_of_its_own():
    found = at_size(32, 16, shares(2), ["down.attn2", "up.attn2"])
    assert found.rows == (2, 3, ADDED)
    assert found.shares.even("padding") == pytest.approx(4 / 12)
    assert found.to_dict()["rows"]["added by the denoiser"] == 0
