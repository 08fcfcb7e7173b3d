"""The bar that runs while a picture is sampled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from ..config_kinds import Config
    from ..sampling.run import OnStep


@contextlib.contextmanager
def sampling_bar(runs: int, config: Config | None = None) -> Iterator[OnStep]:
    """A bar with step, dilation or grid, time and time left over `runs` runs of the sampler, on stderr.

    It is drawn from the first step on: until then something may be refused, and a sentence stands better alone.

    Args:
        config: the settings of the run; None samples directly.
    """
    from ..reports.factor import factor_of

    columns = (
        BarColumn(),
        TextColumn("step {task.completed}/{task.fields[of]}{task.fields[done]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    before = ended = 0
    bar = Progress(*columns, console=Console(stderr=True))
    task = bar.add_task("sampling", total=None, of="?", done="")
    with contextlib.ExitStack() as drawn:

        def on_step(step: int, steps: int, dilation: float) -> None:
            nonlocal before, ended
            if not bar.live.is_started:
                drawn.enter_context(bar)
            total = before + (runs - ended) * steps  # of a cascade and a direct run the steps differ
            bar.update(task, completed=before + step, total=total, of=total, done=factor_of(config, dilation))
            if step == steps:
                before, ended = before + steps, ended + 1

        yield on_step
