"""Schedulers by name."""

from __future__ import annotations

from typing import Any

import diffusers

from picturelab.pipeline import Pipeline


def choose_scheduler(name: str, pipe: Pipeline) -> Any:
    """A scheduler by name in place of the pipeline's, with the same noise schedule.

    Args:
        name: a class of diffusers that fits the pipeline, with or without "Scheduler", in any case.

    Raises:
        ValueError: none that fits has this name; the sentence lists them.
    """
    fitting = {kind.__name__: kind for kind in pipe.scheduler.compatibles}
    extra = {kind.__name__: kind for kind in (diffusers.LCMScheduler, diffusers.TCDScheduler)}
    wanted = name.lower().removesuffix("scheduler")
    for known, kind in (fitting | extra).items():
        if known.lower().removesuffix("scheduler") == wanted:
            return kind.from_config(pipe.scheduler.config)
    known = ", ".join(sorted(n.removesuffix("Scheduler") for n in fitting | extra))
    raise ValueError(f"scheduler {name!r} does not fit this model; those that do are {known}")


def recorded_scheduler(recorded: dict[str, Any]) -> Any:
    """The recipe's scheduler. Its name comes from a file, so only diffusers' schedulers are made.

    Raises:
        ValueError: it is none of diffusers'.
    """
    name = recorded.get("class")
    kind = getattr(diffusers, name, None) if isinstance(name, str) else None
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise ValueError(f"the recipe's scheduler {name!r} is none of diffusers'")
    scheduler: Any = kind
    return scheduler.from_config(recorded.get("config", {}))
