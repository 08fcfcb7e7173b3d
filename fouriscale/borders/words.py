"""What a report says in two sentences, composed of its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .ways import DEEP, DILATED, DIRECT, WRAPPED

_METHODS = {DIRECT: "sampling directly", DILATED: "dilated convolutions", DEEP: "the deep grid"}


def sentences(results: Mapping[str, Any]) -> tuple[str, str]:
    """How much position the model takes from its padding; and what each way of sampling large does to that.

    Args:
        results: the content of report.json.
    """
    base, wrapped = way(results, 1, DIRECT), way(results, 1, DIRECT, WRAPPED)
    strongest = strongest_block(results)
    first = (
        f"At its training size, the fixed pattern that zero padding alone writes into the maps of "
        f"{results['settings']['model']} has {_figure(base['signal'])} times the variance that pictures cause there "
        f"(the mean over blocks and noise levels), most in the block {strongest!r}: "
        f"{_figure(base['blocks'][strongest]['snr'])}; without a border, wrapped, it reads "
        f"{_tiny(wrapped['signal']['value'])}."
    )
    return first, _second(results)


def _second(results: Mapping[str, Any]) -> str:
    large = [one for one in results["ways"] if one["scale"] > 1 and one["border"] == "zeros"]
    if any(one["share"] is None for one in large):
        return (
            f"That is 0 within its interval; larger it reads {_clauses(large, 'signal', _figure, 'with ')}."
        )
    return f"Of that signal, {_clauses(large, 'share', _percent)}."


def _clauses(
    large: Sequence[Mapping[str, Any]], entry: str, shown: Callable[[Any], str], before: str = ""
) -> str:
    """What each method reads, the sizes said once."""
    clauses: list[str] = []
    for method, name in _METHODS.items():
        own = [one for one in large if one["method"] == method]
        verb = "" if before or clauses else "keeps "
        sizes = [f" at {one['scale']} times the size" if not clauses else "" for one in own]
        figures = [f"{shown(one[entry])}{size}" for one, size in zip(own, sizes, strict=True)]
        clauses.append(f"{before}{name} {verb}{' and '.join(figures)}")
    return "; ".join(clauses)


def way(results: Mapping[str, Any], scale: int, method: str, border: str = "zeros") -> Mapping[str, Any]:
    """One entry of `ways` in report.json."""
    entry: Mapping[str, Any] = next(
        one
        for one in results["ways"]
        if (one["scale"], one["method"], one["border"]) == (scale, method, border)
    )
    return entry


def strongest_block(results: Mapping[str, Any]) -> str:
    """The block in which direct sampling at the training size has the largest signal."""
    blocks = way(results, 1, DIRECT)["blocks"]
    return max(blocks, key=lambda block: float(blocks[block]["snr"]["value"]))


def _figure(figure: Mapping[str, float]) -> str:
    return f"{number(figure['value'])} ({number(figure['low'])} to {number(figure['high'])})"


def _percent(figure: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * figure[name]:.0f}" for name in ("value", "low", "high"))
    return f"{value}% ({low}% to {high}%)"


def number(value: float) -> str:
    """Three decimals."""
    return f"{value:.3f}"


def _tiny(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"
