"""What a report shows for its verdict: the questions, what is right by attribute, and where in the text it lies."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ..audit.arms import FIFTHS, FULL, PARTS, RANDOM
from . import charts

ATTRIBUTES = ("background", "colour", "shape", "count", "relation")  # as far as a judge tells them
_OF_ATTRIBUTES = {  # heading: group and arm
    "prompt and padding": ("ite", FULL),
    "prompt, empty padding": ("ite", "prompt"),
    "padding alone": ("ite", "padding"),
    "padding alone, in diffusion": ("idp", "padding"),
    "end token alone": ("ite", "eos"),
    "prompt, another prompt's padding": ("ite", "other padding"),
    "empty text: chance": ("ite", "clean"),
}
_AXES = {
    "to_full": "unlikeness to the full picture, minus another seed's",
    "to_prompt": "CLIP score lost, minus another seed's difference",
    "own_full": "likeness beyond other prompts', minus an empty text's",
    "own_prompt": "CLIP score beyond other prompts', minus an empty text's",
    "between_prompts": "unlikeness of two prompts', minus two seeds'",
}


def questions(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each question with its answer and its findings, every one with a chart of its paired differences."""
    return [
        {
            "question": question,
            "answer": results["answers"][question],
            "findings": [
                finding | {"chart": charts.finding_chart(finding, _AXES[finding["figure"]])}
                for finding in group
            ],
        }
        for question, group in groupby(results["findings"], key=lambda finding: finding["question"])
    ]


def attributes(results: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, float] | None]]:
    """{kind of text: {attribute: share of pictures in which it is right}}; empty where nobody can tell."""
    arms = results["arms"]
    known = [name for name in ATTRIBUTES if f"{name} correct" in arms["ite"][FULL]]
    if not known:
        return {}
    return {
        heading: {name: arms[group][arm].get(f"{name} correct") for name in known}
        for heading, (group, arm) in _OF_ATTRIBUTES.items()
        if arm in (arms[group] or {})
    }


def places_chart(results: Mapping[str, Any]) -> str | None:
    """Likeness to the own prompt's picture by what was kept alone: the end token, each fifth of the padding."""
    arms = results["arms"]
    places = {"eos": "end\ntoken"} | {arm: f"fifth\n{i}/{PARTS}" for i, arm in enumerate(FIFTHS, 1)}
    places |= {RANDOM: "random\nfifth"}
    groups = {"in the encoding": arms["ite"], "in diffusion": arms["idp"] or {}}
    shown = [arm for arm in places if all(arm in group for group in groups.values() if group)]
    if not shown:
        return None
    series = {
        name: [group[arm]["own_full"] | {"by_prompt": group[arm]["by_prompt"]["own_full"]} for arm in shown]
        for name, group in groups.items()
        if group
    }
    return charts.place_chart([places[arm] for arm in shown], series, "likeness beyond other prompts'")


def token_places_chart(results: Mapping[str, Any]) -> str | None:
    """How alike two prompts' rows are at the end token and at each padding token; None: it was not measured."""
    return (
        charts.token_chart(results["tokens"], "likeness of two prompts' rows")
        if results.get("tokens")
        else None
    )
