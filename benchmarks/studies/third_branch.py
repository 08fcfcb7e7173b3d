"""What could be saved of the third branch, in multiply-adds of a whole run over direct sampling's, from shapes alone.

The branch lends its query and key and its own picture is thrown away, so parts of it could be left out or shared:

- skip its end: nothing of its row after the last query and key that it lends; exact;
- share probabilities: softmax(QK) once for its own values and those of the conditional row; exact up to rounding;
- every 2nd step: its query and key kept for the step in between, all of them in memory; another result;
- none: what the fast mode does; another result.

Run from the repository's root with `python -m benchmarks.third_branch`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from fouriscale import FouriScaleConfig
from fouriscale.loading.configs import unet_config
from fouriscale.reports.explain import explain, guided_call

STEPS = 50


class _ReachedError(Exception):
    """The last lent query and key are made."""


def shares(shape: str, side: int) -> tuple[float, float]:
    """Parts of a row's multiply-adds: after the last lent query and key, and in all QK products of `attn1`."""
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(unet_config(shape)).eval()
    lending = [module for name, module in unet.named_modules() if name.endswith("attn1")]
    order: list[Any] = []
    products = 0

    def note(projection: Any, args: Any, output: torch.Tensor) -> None:
        nonlocal products
        order.append(projection)
        rows, tokens, width = output.shape
        products += 2 * rows * tokens**2 * width

    def reached(*_: Any) -> None:
        raise _ReachedError

    for attention in lending:
        attention.to_k.register_forward_hook(note)
    whole = _operations(unet, side)
    share = products / whole
    order[-1].register_forward_hook(reached)
    return 1 - _operations(unet, side) / whole, share


def _operations(unet: Any, side: int) -> int:
    """Of a guided call; of its part up to `_ReachedError`, where that is raised."""
    with FlopCounterMode(display=False) as counter, contextlib.suppress(_ReachedError):
        guided_call(unet, (side // 8, side // 8), 1)
    return int(counter.get_total_flops())


def main() -> None:
    print(
        "| | paper | skip its end | share probabilities | both | every 2nd step | none |\n|---|---|---|---|---|---|---|"
    )
    for shape, side in (("sd15", 1024), ("sd15", 2048), ("sdxl", 2048)):
        paper, none = (
            explain(
                unet_config(shape), side, side, steps=STEPS,
                config=FouriScaleConfig.preset(shape, third_branch=third),
            ).run_cost
            for third in (True, False)
        )  # fmt: skip
        branch, (end, products) = paper - none, shares(shape, side)
        saved = (0, end, products, end + products, 0.5, 1)
        cells = " | ".join(f"{paper - branch * part:.2f}" for part in saved)
        print(f"| {shape}, {side}x{side} | {cells} |")


if __name__ == "__main__":
    main()
