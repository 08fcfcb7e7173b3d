import pytest
import torch

from fouriscale.maths.separable import along_axes, along_axes_apart

MAP = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[None, None]  # 3 x 2


def test_one_product_by_hand():
    sums = torch.ones(1, 3), torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert along_axes(MAP, sums).tolist() == [[[[9.0, 12.0, 21.0]]]]


def test_the_sum_of_two_products_by_hand():
    """The map, and ten times the map upside down and left to right."""
    same, turned = torch.eye(3), 10 * torch.eye(3).flip(0)
    rows = torch.stack([same, turned], 2).flatten(1)
    columns = torch.cat([torch.eye(2), torch.eye(2).flip(0)], 1)
    assert torch.equal(along_axes(MAP, (rows, columns)), MAP + 10 * MAP.flip(-1, -2))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rows_with_matrices_of_their_own_equal_each_alone(layout):
    torch.manual_seed(0)
    maps = torch.randn(5, 4, 6, 8).contiguous(memory_format=layout)
    first, others = [(torch.randn(3, 6), torch.randn(8, 7)) for _ in range(2)]
    both = along_axes_apart(maps, 2, first, others)
    assert both.is_contiguous()
    expected = [
        rows @ part @ columns
        for part, (rows, columns) in zip(maps.split([2, 3]), (first, others), strict=True)
    ]
    torch.testing.assert_close(both, torch.cat(expected))
