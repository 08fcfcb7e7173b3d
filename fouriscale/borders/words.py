"""What a report says in two sentences, composed of its figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .ways import DEEP, DILATED, DIRECT, WRAPPED

_METHODS = {DIRECT: "sampled directly", DILATED: "with dilated convolutions", DEEP: "on the deep grid"}


def sentences(results: Mapping[str, Any]) -> tuple[str, str]:
    """How much position the model takes from its padding; and what each way of sampling large does to that.

    Args:
        results: the content of report.json.
    """
    base, wrapped = way(results, 1, DIRECT), way(results, 1, DIRECT, WRAPPED)
    strongest = max(base["blocks"], key=lambda block: base["blocks"][block]["snr"]["value"])
    first = (
        f"At its training size, the fixed pattern that zero padding alone writes into the maps of "
        f"{results['settings']['model']} has {_figure(base['signal'])} times the variance that pictures cause there "
        f"(the mean over blocks and noise levels), most in {strongest}: "
        f"{_figure(base['blocks'][strongest]['snr'])}; wrapped, without a border, it reads "
        f"{_tiny(wrapped['signal']['value'])}."
    )
    return first, _second(results)


def _second(results: Mapping[str, Any]) -> str:
    large = [one for one in results["ways"] if one["scale"] > 1 and one["border"] == "zeros"]
    if any(one["share"] is None for one in large):
        told = [_clause(method, large, "signal", _figure) for method in _METHODS]
        return f"That is 0 within its interval, and there is nothing to keep; it reads {'; '.join(told)}."
    told = [_clause(method, large, "share", _percent) for method in _METHODS]
    return f"Of that signal there is {'; '.join(told)}."


def _clause(method: str, large: Iterable[Mapping[str, Any]], entry: str, shown: Any) -> str:
    figures = [
        f"{shown(one[entry])} at {one['scale']} times the size" for one in large if one["method"] == method
    ]
    return f"{_METHODS[method]} {' and '.join(figures)}"


def way(results: Mapping[str, Any], scale: int, method: str, border: str = "zeros") -> Mapping[str, Any]:
    """One entry of `ways` in report.json."""
    entry: Mapping[str, Any] = next(
        one
        for one in results["ways"]
        if (one["scale"], one["method"], one["border"]) == (scale, method, border)
    )
    return entry


def _figure(figure: Mapping[str, float]) -> str:
    return f"{number(figure['value'])} ({number(figure['low'])} to {number(figure['high'])})"


def _percent(figure: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * figure[name]:.0f}" for name in ("value", "low", "high"))
    return f"{value}% ({low}% to {high}%)"


def number(value: float) -> str:
    """Three decimals; two digits of what is smaller."""
    return f"{value:.3f}" if value >= 0.01 or value == 0 else f"{value:.2g}"


def _tiny(value: float) -> str:
    return "0" if value == 0 else f"{value:.0e}"
