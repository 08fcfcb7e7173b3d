"""How fast this machine draws, learnt from finished pictures."""

from __future__ import annotations

import statistics
from collections import deque

from fouriscale.reports.explain_model import AnyExplanation

_PICTURES = 5  # that are remembered of a model: one slow picture is not this machine's speed


class Speed:
    """Seconds a multiply-add, by model."""

    def __init__(self) -> None:
        self._rates: dict[str, deque[float]] = {}

    def learn(self, explanation: AnyExplanation, model: str, seconds: float, scaled: bool) -> None:
        """From a picture that took `seconds`; `scaled`: with FouriScale."""
        cost = _cost(explanation, scaled)
        if cost is not None:
            self._rates.setdefault(model, deque(maxlen=_PICTURES)).append(seconds / cost)

    def seconds(self, explanation: AnyExplanation, model: str, scaled: bool) -> float | None:
        """How long a picture would take; None before the first one of this model."""
        rates, cost = self._rates.get(model), _cost(explanation, scaled)
        return statistics.median(rates) * cost if rates and cost is not None else None


def _cost(explanation: AnyExplanation, scaled: bool) -> float | None:
    """Multiply-adds of a whole run; None where they cannot be foretold."""
    if explanation.direct_cost is None:
        return None
    return explanation.direct_cost * explanation.steps * (explanation.run_cost if scaled else 1.0)
