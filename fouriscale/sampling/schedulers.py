"""Schedulers by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from inspect import signature
from typing import Any

import diffusers

from picturelab.bounds import shown
from picturelab.failures import told_as
from picturelab.pipeline import Pipeline

_NAME = re.compile(r"[A-Za-z0-9]{1,80}Scheduler")
_MOST = 100_000  # a number in a scheduler's config: a hundred times the usual training steps
_LONGEST = 10_000  # a list there, such as trained betas


def choose_scheduler(name: str, pipe: Pipeline) -> Any:
    """A scheduler by name in place of the pipeline's, with the same noise schedule.

    Args:
        name: a class of diffusers that fits the pipeline, with or without "Scheduler", in any case.

    Raises:
        ValueError: none that fits has this name; the sentence lists them.
    """
    own = type(pipe.scheduler)
    fitting = {kind.__name__: kind for kind in (*pipe.scheduler.compatibles, own)}
    few_steps = (
        (diffusers.LCMScheduler, diffusers.TCDScheduler) if "beta_start" in pipe.scheduler.config else ()
    )
    extra = {kind.__name__: kind for kind in few_steps}  # a schedule of a flow is no business of theirs
    wanted = name.lower().removesuffix("scheduler")
    for known, kind in (fitting | extra).items():
        if known.lower().removesuffix("scheduler") == wanted:
            return kind.from_config(pipe.scheduler.config)
    known = ", ".join(sorted(n.removesuffix("Scheduler") for n in fitting | extra))
    raise ValueError(f"scheduler {name!r} does not fit this model; those that do are {known}")


def recorded_scheduler(recorded: Mapping[str, Any], steps: int) -> Any:
    """The recipe's scheduler, ready for so many steps.

    It comes from a stranger's file: only diffusers' schedulers are made, from plain values of bounded size. A name in
    place of the values would be looked up, as a folder or at the hub.

    Raises:
        ValueError: it is none of diffusers', or its values do not make one that has so many steps.
    """
    name, config = recorded.get("class"), recorded.get("config", {})
    known = getattr(diffusers, name, None) if isinstance(name, str) and _NAME.fullmatch(name) else None
    if not (isinstance(known, type) and issubclass(known, diffusers.SchedulerMixin)):
        raise ValueError(f"the recipe's scheduler {shown(name)} is none of diffusers'")
    if not isinstance(config, Mapping):
        raise ValueError(f"the recipe's scheduler config is {shown(config)}: must be a mapping of settings")
    kind: Any = known
    for key, value in config.items():
        if not _plain(value):
            raise ValueError(
                f"the recipe's scheduler has {key}={shown(value)}: must be a word, a number from "
                f"-{_MOST:,} to {_MOST:,}, true, false, null, or at most {_LONGEST:,} numbers"
            )
    settings = {key: value for key, value in config.items() if key in signature(kind).parameters}
    with told_as(f"the recipe's scheduler {name} cannot be set up for {steps} steps from its config"):
        scheduler = kind.from_config(settings)
        shifted = (
            {"mu": 1.0} if config.get("use_dynamic_shifting") else {}
        )  # by which the pipeline sets its own
        scheduler.set_timesteps(steps, **shifted)
        return kind.from_config(settings)


def _plain(value: Any, inside: bool = False) -> bool:
    if isinstance(value, float) and math.isinf(value):  # some schedulers clip nowhere, at infinity
        return True
    if isinstance(value, int | float) and not isinstance(value, bool):
        return -_MOST <= value <= _MOST
    if isinstance(value, list) and not inside:
        return len(value) <= _LONGEST and all(_plain(entry, inside=True) for entry in value)
    return not inside and (value is None or isinstance(value, bool | str))
