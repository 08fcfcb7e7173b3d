"""What a visitor asks of the second tab: one prompt's pictures and measurements, or an audit, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from padtone.audit.arms import FIFTHS
from padtone.audit.prompts import Prompts
from picturelab.bounds import BOUNDS, shown
from picturelab.prompts import check_said
from picturelab.textfiles import lines

from .. import links
from ..forms import FieldProblems, check_between, check_one_of, check_whole
from ..jobs.padding_tokens import audit_prompts
from ..workshop import Workshop

TAB = "padding"
FIELDS = ("prompt", "model", "seed", "steps", "arms")
CHOSEN = "chosen chips"
ARMS = ("full", "prompt", "padding", "eos", "clean", *FIFTHS, CHOSEN)


@dataclass(frozen=True)
class PromptOrder:
    """One prompt to measure.

    Attributes:
        arms: names of arms, and the text rows behind the chosen chips.
    """

    prompt: str
    model: str
    seed: int
    steps: int
    arms: tuple[str | list[int], ...]


@dataclass(frozen=True)
class AuditOrder:
    """An audit; `steps` and `seeds` are numbers of them."""

    model: str
    prompts: Prompts
    seeds: int
    steps: int


def problems(workshop: Workshop, values: Mapping[str, Any], chosen_rows: Sequence[int]) -> FieldProblems:
    """What is wrong with the values of `FIELDS`; `chosen_rows`: text rows of the chosen chips."""
    wrong = FieldProblems()
    with wrong.at("prompt"):
        check_said(values["prompt"])
    with wrong.at("model"):
        workshop.models.check(values["model"], for_fouriscale=False)
    last_seed = int(BOUNDS["seed"].most) - 1  # a curve takes the next one too
    for name, least, most in (("seed", 0, last_seed), ("steps", 1, workshop.host.max_steps)):
        with wrong.at(name):
            check_between(name, values[name], least, most)
    with wrong.at("arms"):
        _check_arms(values["arms"], chosen_rows)
    return wrong


def _check_arms(arms: Any, chosen_rows: Sequence[int]) -> None:
    if not arms:
        raise ValueError("nothing is kept: choose at least one")
    if not isinstance(arms, list):
        raise ValueError(f"arms is {shown(arms)}: must be a list")
    for arm in arms:
        check_one_of("arm", arm, ARMS)
    if CHOSEN in arms and not chosen_rows:
        raise ValueError(f"{CHOSEN!r} is kept, but no chip is chosen: click some of the tokens")


def read(workshop: Workshop, values: Mapping[str, Any], chosen_rows: Sequence[int]) -> PromptOrder:
    """The order of the values of `FIELDS`.

    Raises:
        FieldError: something is wrong with one of them.
    """
    problems(workshop, values, chosen_rows).refuse()
    return PromptOrder(
        prompt=values["prompt"].strip(),
        model=values["model"],
        seed=int(values["seed"]),
        steps=int(values["steps"]),
        arms=tuple(list(chosen_rows) if arm == CHOSEN else arm for arm in values["arms"]),
    )


def read_audit(
    workshop: Workshop,
    model: str,
    steps: Any,
    prompts: Any,
    count: Any,
    seeds: Any,
) -> AuditOrder:
    """The order of an audit.

    Args:
        prompts: typed, one a line, or a list; none takes `count` of our own.

    Raises:
        ValueError: a value is wrong.
    """
    workshop.models.check(model, for_fouriscale=False)
    check_between("steps", steps, 1, workshop.host.max_steps)
    typed = _typed_prompts(prompts)
    if not typed:
        check_whole("number of our prompts", count)
    _check_pictures(workshop, len(typed) or int(count), seeds)
    chosen = audit_prompts(model, "\n".join(typed), int(count) if not typed else 0)
    return AuditOrder(model, chosen, int(seeds), int(steps))


def _typed_prompts(prompts: Any) -> list[str]:
    """Prompts typed one a line, or a list of them; the empty ones are none."""
    listed = prompts if isinstance(prompts, list) else [prompts or ""]
    for text in listed:
        if not isinstance(text, str):
            raise ValueError(f"prompts holds {shown(text)}: must be text")
    prompts = [line for text in listed for _, line in lines(text)]
    for prompt in prompts:
        check_said(prompt)
    return prompts


def _check_pictures(workshop: Workshop, prompts: int, seeds: Any) -> None:
    check_whole("seeds", seeds)
    if seeds < 2:
        raise ValueError(
            f"seeds={shown(int(seeds))}: 2 or more are needed, for their difference is the yardstick"
        )
    most = workshop.host.max_audit
    if prompts * seeds > most:
        raise ValueError(
            f"{shown(prompts)} prompts and {shown(int(seeds))} seeds are {shown(int(prompts * seeds))} pictures "
            f"an arm; this page makes {most}"
        )


def link(values: Mapping[str, Any]) -> str:
    """The query that opens the tab with these values; chips are of one prompt, and stay out."""
    arms = [arm for arm in values["arms"] if arm != CHOSEN] or ["full"]
    return links.to_query(TAB, {name: values[name] for name in FIELDS} | {"arms": arms})


def of_link(workshop: Workshop, query: Mapping[str, str], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The tab's values from a query; what it does not name, or names wrongly, stays as usual."""
    values = links.reopened(TAB, query, usual, lambda values: problems(workshop, values, []))
    values["arms"] = [arm for arm in values["arms"] if arm in ARMS] or usual["arms"]
    return values
