"""KID against its formula."""

import pytest
import torch

from padtone.audit.kid import KID_MINIMUM, kid


def test_kid_by_hand():
    """With as many pictures as a subset holds, every subset is the whole: the unbiased estimate itself."""
    generator = torch.Generator().manual_seed(0)
    n, width = KID_MINIMUM, 6
    real, other = (torch.randn(n, width, generator=generator).double() + shift for shift in (0.0, 0.3))
    kernel = lambda a, b: (a @ b.T / width + 1) ** 3  # noqa: E731
    same = sum(
        (k.sum() - k.diagonal().sum()) / (n * (n - 1)) for k in (kernel(real, real), kernel(other, other))
    )
    expected = float(same - 2 * kernel(real, other).mean())
    found = kid(real.float(), other.float())
    assert found.mean == pytest.approx(expected, rel=1e-4)
    assert found.deviation == pytest.approx(0, abs=1e-5)
    assert found.images == (n, n)


def test_kid_is_seeded_and_left_out_below_its_minimum():
    generator = torch.Generator().manual_seed(1)
    real, other = (torch.randn(KID_MINIMUM + 10, 4, generator=generator) for _ in range(2))
    before = torch.random.get_rng_state()
    assert kid(real, other) == kid(real, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert kid(real[: KID_MINIMUM - 1], other) is None
