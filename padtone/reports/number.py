"""How many padding tokens can go, in words, and the code that takes them out with the speed that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_JUDGED = "all correct"  # a judge's figure


def in_short(results: Mapping[str, Any]) -> str:
    """Such as "at least 30 of 62", for a headline; "not known with 8 prompts" where it is not decided.

    Args:
        results: the content of report.json.
    """
    droppable, keep_k = results["droppable"], results["keep_k"]
    if droppable is None:
        return f"not known with {len(results['settings']['prompts_used'])} prompts"
    fewest = keep_k["curve"][0]["k"]  # below it nothing was tried
    least = "at least " if droppable and keep_k["smallest"] > fewest else ""
    return f"{least}{droppable} of {results['padding']}"


def up_to(results: Mapping[str, Any]) -> str:
    """Such as "up to 54 undecided"; empty where no more is undecided of the lengths that were tried."""
    undecided = results["keep_k"]["undecided"]
    dropped = next((row["dropped"] for row in results["keep_k"]["curve"] if row["k"] == undecided), None)
    return "" if undecided is None else f"up to {dropped} undecided"


def number_sentence(results: Mapping[str, Any]) -> str:
    """The same as a sentence, with the speed at that number."""
    more = f", {rest}" if (rest := up_to(results)) else ""
    if results["droppable"] is None:
        return f"How many of {results['padding']} padding tokens can go is {in_short(results)}{more}."
    faster = ""
    if results["droppable"]:
        low, high = results["keep_k"]["speedup_interval"]
        faster = f" ({results['speedup']:.2f}x as fast a picture, {low:.2f} to {high:.2f})"
    start = in_short(results)
    return f"{start[0].upper()}{start[1:]} padding tokens can go{faster}{more}."


def judged_sentence(results: Mapping[str, Any]) -> str:
    """How often a checker found all of a scene right, whole and at the lengths that the number names; else empty."""
    keep_k = results["keep_k"]
    figures = {row["k"]: row.get(_JUDGED) for row in keep_k["curve"]}
    named = dict.fromkeys((None, keep_k["smallest"], keep_k["undecided"]))
    if len(named) < 2 or any(figures[k] is None for k in named):
        return ""
    said = [
        f"{figures[k]['mean']:.0%} {'with all padding' if k is None else f'at keep {k}'} "
        f"({figures[k]['low']:.0%} to {figures[k]['high']:.0%})"
        for k in named
    ]
    return f"By the checker all of a scene is right in {', '.join(said)}."


def chosen_length(results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Of the lengths that the text was trimmed to, the shortest, or one that is faster beyond both their spreads.

    Returns:
        None where none was timed.
    """
    timed = results["keep_k"].get("timed") or {"lengths": []}
    trimmed = [length for length in timed["lengths"] if length["treatment"] == "trim"]
    if not trimmed:
        return None
    shortest = min(trimmed, key=lambda length: length["rows"])
    fastest = min(trimmed, key=lambda length: length["seconds"])
    return fastest if fastest["speedup_range"][0] > shortest["speedup_range"][1] else shortest


def keep_of(results: Mapping[str, Any]) -> int:
    """Padding tokens to keep where some can go: at `chosen_length`, if lengths were timed."""
    length = chosen_length(results)
    return int(length["tokens_kept"] if length else results["keep_k"]["smallest"])


def keep_sentence(results: Mapping[str, Any]) -> str:
    """Why the line of code keeps more than has to stay; empty where it does not."""
    smallest, chosen = results["keep_k"]["smallest"], chosen_length(results)
    if not results["droppable"] or chosen is None or chosen["tokens_kept"] == smallest:
        return ""
    keep = keep_of(results)
    one_encoder = results["padding"] == results["keep_k"]["padding"]
    takes = f"{results['padding'] - keep} of them" if one_encoder else "fewer"
    return (
        f"This line takes out {takes}: it keeps {keep} where {smallest} would do, for {chosen['rows']} rows of text "
        "were the fastest of the lengths that were timed."
    )


def line_speed(results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Speed with the line of code: {"mean", "low", "high", "range": which, "of": what was timed}; None: no line."""
    if not results["droppable"]:
        return None
    chosen = chosen_length(results)
    if chosen is None or keep_of(results) == results["keep_k"]["smallest"]:
        low, high = results["keep_k"]["speedup_interval"]
        return {
            "mean": results["speedup"],
            "low": low,
            "high": high,
            "range": "95% interval",
            "of": "a picture",
        }
    low, high = chosen["speedup_range"]
    return {
        "mean": chosen["speedup"],
        "low": low,
        "high": high,
        "range": "middle half of the calls",
        "of": "the denoiser's calls",
    }


def code_line(results: Mapping[str, Any]) -> str | None:
    """The code that drops the padding that can go, called as the audit did; None where none can."""
    if not results["droppable"]:
        return None
    settings = results["settings"]
    prompt = settings["prompts"][settings["prompts_used"][0]]
    return trimmed_call(keep_of(results), prompt, settings["call"])


def trimmed_call(keep: int, prompt: str, call: Mapping[str, Any]) -> str:
    """Python lines that call a pipeline with these arguments and its text trimmed to `keep` padding tokens."""
    arguments = [repr(prompt), *(f"{name}={value!r}" for name, value in call.items())]
    lines = "".join(f"        {argument},\n" for argument in arguments)
    return (
        f"import padtone\n\nwith padtone.trim_padding(pipe, keep={keep}):\n"
        f"    image = pipe(\n{lines}    ).images[0]"
    )
