"""A table of positions read between its entries: against the sines that it holds."""

import pytest
import torch

from fouriscale.maths.position_table import cubic, denser, places
from fouriscale.maths.positions import linear_shift


def test_denser_tokens_share_the_middle_of_training():
    assert places(4, 4, 1.0, 12).tolist() == [4, 5, 6, 7]  # as they are cut out
    assert places(8, 4, 2.0, 12).tolist() == [3.75, 4.25, 4.75, 5.25, 5.75, 6.25, 6.75, 7.25]
    assert places(4, 4, 2.0, 12).tolist() == [4.75, 5.25, 5.75, 6.25]  # a shorter axis, squeezed no less
    assert places(3, 3, 1.0, 12).tolist() == [4, 5, 6]


def test_cubic_reads_entries_as_they_are_and_quadratics_between_them():
    entries = torch.arange(10, dtype=torch.float64)
    between = torch.tensor([2.0, 4.5, 6.3], dtype=torch.float64)
    weights = cubic(between, 10)
    assert torch.allclose(weights @ entries**2, between**2)
    assert torch.equal(weights[0], torch.eye(10, dtype=torch.float64)[2])
    assert torch.allclose(
        cubic(torch.tensor([-3.0, 12.0], dtype=torch.float64), 10) @ entries, entries[[0, 9]]
    )


def test_a_table_of_sines_gives_the_sines_between():
    step = 1 / 3  # of SD 3: 192 entries over 64 positions
    entries = step * torch.arange(24, dtype=torch.float64)
    table = torch.stack([entries[:, None].sin().expand(24, 24), entries.cos().expand(24, 24)], -1)
    found = denser(table, (12, 16), (6, 8), (2.0, 2.0)).unflatten(0, (12, 16))
    rows = step * (9 + 2.5 + (torch.arange(12) - 5.5) / 2)
    columns = step * (8 + 3.5 + (torch.arange(16) - 7.5) / 2)
    assert torch.allclose(found[..., 0], rows.sin()[:, None].double().expand(12, 16), atol=1e-3)
    assert torch.allclose(found[..., 1], columns.cos().double().expand(12, 16), atol=1e-3)


@pytest.mark.parametrize(("tokens", "mu"), [(256, 0.5), (4096, 1.15), (16384, 3.23), (65536, 11.55)])
def test_the_shift_is_a_line_in_the_number_of_tokens(tokens, mu):
    assert linear_shift(tokens, 256, 4096, 0.5, 1.15) == pytest.approx(mu, abs=0.005)
