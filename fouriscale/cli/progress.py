"""The bar that runs while a picture is sampled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from ..sampling.run import OnStep


@contextlib.contextmanager
def sampling_bar(runs: int, dilated: bool = True) -> Iterator[OnStep]:
    """A bar with step, a UNet's dilation and time left over `runs` runs of the sampler, on stderr.

    It is drawn from the first step on.

    Until then something may be refused, and a sentence stands better alone.
    """
    dilation = ", dilation {task.fields[dilation]:.2f}" if dilated else ""
    columns = (
        BarColumn(),
        TextColumn(f"step {{task.completed}}/{{task.fields[of]}}{dilation}"),
        TimeRemainingColumn(),
    )
    before = ended = 0
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("sampling", total=None, of="?", dilation=1.0)
    with contextlib.ExitStack() as drawn:

        def on_step(step: int, steps: int, dilation: float) -> None:
            nonlocal before, ended
            if not bar.live.is_started:
                drawn.enter_context(bar)
            total = before + (runs - ended) * steps  # of a cascade and a direct run the steps differ
            bar.update(task, completed=before + step, total=total, of=total, dilation=dilation)
            if step == steps:
                before, ended = before + steps, ended + 1

        yield on_step
