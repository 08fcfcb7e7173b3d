"""KID: how far apart two sets of pictures are, by torchmetrics, on features of ours."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch

from ..maths.metrics import short

KID_MINIMUM = 50  # images on each side; also the size of each subset, so that figures can be compared
KID_SUBSETS = 100


@dataclass(frozen=True)
class Kid:
    """Kernel distance of two sets of pictures: mean and standard deviation over subsets."""

    mean: float
    deviation: float
    images: tuple[int, int]

    def to_dict(self) -> dict[str, object]:
        return {
            "mean": short(self.mean),
            "deviation": short(self.deviation),
            "images": list(self.images),
            "subset": KID_MINIMUM,
        }


def kid(real: torch.Tensor, other: torch.Tensor) -> Kid | None:
    """Unbiased squared maximum mean discrepancy with kernel (x.y / width + 1)^3, on given features.

    torchmetrics' `KernelInceptionDistance` over `KID_SUBSETS` random subsets of `KID_MINIMUM` pictures;
    seeded. As an unbiased estimate it may fall below 0 for sets that are alike.
    Source: Binkowski et al., "Demystifying MMD GANs" (2018), section 4.

    Args:
        real, other: (pictures, width), any numbers of pictures.

    Returns:
        None where either set is smaller than `KID_MINIMUM`, or the estimate is no finite number.
    """
    if min(len(real), len(other)) < KID_MINIMUM:
        return None
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", ".*save all extracted features in buffer", UserWarning)
        torch.manual_seed(0)
        metric = KernelInceptionDistance(
            feature=torch.nn.Identity(), subsets=KID_SUBSETS, subset_size=KID_MINIMUM
        )
        metric.update(real.float(), real=True)
        metric.update(other.float(), real=False)
        mean, deviation = metric.compute()
    if not (math.isfinite(mean) and math.isfinite(deviation)):
        return None
    return Kid(float(mean), float(deviation), (len(real), len(other)))
