"""How fast this machine draws, learnt from finished pictures."""

from __future__ import annotations

import statistics
from collections import deque

from fouriscale.reports.explain import Explanation

_PICTURES = 5  # that are remembered of a model: one slow picture is not this machine's speed


class Speed:
    """Seconds a multiply-add, by model."""

    def __init__(self) -> None:
        self._rates: dict[str, deque[float]] = {}

    def learn(self, explanation: Explanation, model: str, seconds: float, scaled: bool) -> None:
        """From a picture that took `seconds`; `scaled`: with FouriScale."""
        rates = self._rates.setdefault(model, deque(maxlen=_PICTURES))
        rates.append(seconds / _cost(explanation, scaled))

    def seconds(self, explanation: Explanation, model: str, scaled: bool) -> float | None:
        """How long a picture would take; None before the first one of this model."""
        rates = self._rates.get(model)
        return statistics.median(rates) * _cost(explanation, scaled) if rates else None


def _cost(explanation: Explanation, scaled: bool) -> float:
    """Multiply-adds of a whole run."""
    return explanation.direct_cost * explanation.steps * (explanation.run_cost if scaled else 1.0)
