"""How many operators a guided call of a UNet dispatches in every mode, and how many of them launch something.

Below some two megapixels a fast GPU waits for what Python and torch dispatch, so there a call costs its operators.
They are counted on the meta device, where nothing is computed: the counts are exact and the same on every machine.
A fused attention counts as one, as on a GPU.

`python -m benchmarks.operators` prints the table, of Stable Diffusion 1.5 at twice its training size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import typer
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .speed.cases import MODES, SHAPES, STEPS

CALLS = {"active": 0, "late": STEPS - 1}  # the step of each
Case = tuple[str, str]
"""A mode and a call."""
CASES: tuple[Case, ...] = tuple(itertools.product(MODES, CALLS))


@dataclass(frozen=True)
class Count:
    """What a call dispatches.

    Attributes:
        operators: all of them.
        launching: those that are no view of what there is already.
    """

    operators: int
    launching: int


class Operators(TorchDispatchMode):
    """Counts what is dispatched inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.operators = self.launching = 0

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # The timestep, which on a GPU is there already, comes to the meta device from the CPU.
        if operator is not torch.ops.aten._to_copy.default or args[0].is_meta:
            self.operators += 1
            self.launching += not _is_view(operator)
        return operator(*args, **(kwargs or {}))

    @property
    def count(self) -> Count:
        return Count(self.operators, self.launching)


def _is_view(operator: Any) -> bool:
    if operator is torch.ops.aten._unsafe_view.default:
        return True
    aliases = [returned.alias_info for returned in operator._schema.returns]
    return all(alias is not None and not alias.is_write for alias in aliases)


class _FusedAttention(TorchFunctionMode):
    """One operator for every attention; on the meta device torch would take it apart.

    Laid out as kernels give it, so that joining the heads copies nothing.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is F.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return function(*args, **(kwargs or {}))


def counted(cases: Iterable[Case] = CASES, shape: str = "sd15", scale: int = 2) -> dict[Case, Count]:
    """What each guided call dispatches that is not the first of its kind, so that its filters are there already."""
    from diffusers import DDIMScheduler, UNet2DConditionModel

    from fouriscale import fouriscale
    from fouriscale.reports.explain import guided_inputs

    subject = SHAPES[shape]()
    side = scale * subject.side // subject.vae_scale_factor
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(STEPS)
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(subject.unet).eval()
    sample, text, extra = guided_inputs(unet, (side, side))

    @torch.no_grad()
    def count(call: str) -> Count:
        timestep = scheduler.timesteps[CALLS[call]]
        unet(sample, timestep, text, **extra)
        with _FusedAttention(), Operators() as operators:
            unet(sample, timestep, text, **extra)
        return operators.count

    found = {}
    for mode, call in cases:
        config = subject.settings(MODES[mode])
        if config is None:
            found[mode, call] = count(call)
            continue
        with fouriscale(unet, config, scheduler=scheduler, vae_scale_factor=subject.vae_scale_factor):
            found[mode, call] = count(call)
    return found


def to_markdown(found: dict[Case, Count]) -> str:
    heads = [f"{call} call, of those launching" for call in CALLS]
    lines = ["| mode | " + " | ".join(heads) + " |", "|---|---|---|"]
    for mode in MODES:
        counts = [found[mode, call] for call in CALLS]
        cells = [f"{count.operators}, {count.launching}" for count in counts]
        lines.append(f"| {mode} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(
    shape: Annotated[str, typer.Option(help=f"One of {', '.join(SHAPES)}.")] = "sd15",
    scale: Annotated[int, typer.Option(min=2, max=8, help="Times the training size, on each axis.")] = 2,
) -> None:
    """Count the operators of a UNet's call in every mode."""
    if shape not in SHAPES:
        raise typer.BadParameter(f"no shape is called {shape}; shapes are {', '.join(SHAPES)}")
    typer.echo(to_markdown(counted(shape=shape, scale=scale)))


if __name__ == "__main__":
    typer.run(main)
