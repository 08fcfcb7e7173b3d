"""What each block of a UNet gives, read while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn


def blocks_of(unet: UNet2DConditionModel) -> dict[str, nn.Module]:
    """The down, mid and up blocks of a UNet in the order in which maps go through them, by short names."""
    down = {f"down {i}": block for i, block in enumerate(unet.down_blocks)}
    mid = {} if unet.mid_block is None else {"mid": unet.mid_block}
    return down | mid | {f"up {i}": block for i, block in enumerate(unet.up_blocks)}


@contextlib.contextmanager
def block_maps(unet: UNet2DConditionModel) -> Iterator[dict[str, torch.Tensor]]:
    """{block: maps (B, C, height, width)} of the latest call, for the length of a `with` block.

    What FouriScale was to do to a block's output is done by then, if it was applied before.
    """
    maps: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: tuple, output: Any) -> None:
            maps[name] = (
                output[0] if isinstance(output, tuple) else output
            )  # down blocks give their skips too

        return hook

    with contextlib.ExitStack() as undo:
        for name, block in blocks_of(unet).items():
            undo.callback(block.register_forward_hook(keep(name)).remove)
        yield maps
