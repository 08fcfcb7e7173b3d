"""Rows picked from whatever a UNet is called with."""

import torch

from fouriscale.hooks.rows import pick_rows


def last(value):
    return value[-1:]


def test_tensors_batched_like_the_sample_are_picked_however_nested():
    rows = torch.tensor([[1.0], [2.0]])
    picked = pick_rows({"a": rows, "b": [rows, (rows, {"c": rows})]}, 2, last)
    two = torch.tensor([[2.0]])
    torch.testing.assert_close(picked, {"a": two, "b": [two, (two, {"c": two})]})
    assert isinstance(picked["b"], list)
    assert isinstance(picked["b"][1], tuple)


def test_what_is_not_batched_like_the_sample_stays():
    other, number, pair = torch.ones(3, 2), torch.tensor(5.0), torch.ones(1, 2)
    for value in (other, number, pair, None, 7, "words", 2.5, True):
        assert pick_rows(value, 2, last) is value
    assert pick_rows([other, None], 2, last)[0] is other


def test_ip_adapters_masks_hold_no_rows():
    masks = [torch.ones(2, 1, 4, 4)]
    picked = pick_rows({"ip_adapter_masks": masks, "scale": torch.arange(2)}, 2, last)
    assert picked["ip_adapter_masks"] is masks
    assert picked["scale"].tolist() == [1]


def test_any_pick_will_do():
    rows = torch.tensor([1, 2])
    assert pick_rows((rows,), 2, lambda x: torch.cat([x, x[1:]]))[0].tolist() == [1, 2, 2]
