"""One border for all convolutions of a UNet, to measure what it does; `FouriScaleConfig.border` is for dilated ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from diffusers import UNet2DConditionModel

from picturelab.bounds import shown

from ..maths.choices import BORDERS
from ..maths.wrap import NOWHERE
from . import convolution, modules
from .call import Call, Running


@contextlib.contextmanager
def bordered(unet: UNet2DConditionModel, border: str) -> Iterator[None]:
    """For the length of a `with` block, every convolution of a UNet sees this beyond the border of its map.

    Calls in this thread only. FouriScale must not be applied to the UNet.

    Args:
        border: one of `BORDERS`.

    Raises:
        ValueError: `border` is none of these, or a convolution is already patched.
    """
    if border not in BORDERS:
        raise ValueError(f"border={shown(border)}: must be one of {', '.join(BORDERS)}")
    convolutions = modules.spatial_convolutions(unet)
    convolution.refuse_patched(convolutions)
    patched = [name for name, conv in convolutions.items() if convolution.CONV_FORWARD in vars(conv)]
    if patched:
        raise ValueError(
            f"FouriScale is applied to this UNet, such as to {patched[0]}: call remove_fouriscale first"
        )
    running = Running()
    with contextlib.ExitStack() as undo:
        for name, conv in convolutions.items():
            convolution.attach(running, name, conv, undo)
        running.begin(
            Call(
                values={
                    "convolutions": dict.fromkeys(convolutions, False),  # none is filtered
                    "guidance_rows": 0,
                    "rows": 0,
                    "strong_dilation": 1,
                    "border": border,
                    "wrap": NOWHERE,
                }
            )
        )
        undo.callback(running.end)
        yield
