"""What sizes a UNet of SDXL's kind is told of."""

from __future__ import annotations

from ..config import FouriScaleConfig


def size_conditioning(config: FouriScaleConfig, height: int, width: int) -> dict[str, tuple[int, int]]:
    """SDXL's `original_size` and `target_size` for `pipe(**...)`, as (height, width) in pixels.

    The authors' code tells the model the training size that the target is a multiple of, since it knows
    no larger ones. Within the training size it is the size itself, SDXL's own default.
    """
    fit = config.fit(height, width)
    size = fit.training_size if fit.dilation > 1 else (height, width)
    return {"original_size": size, "target_size": size}
