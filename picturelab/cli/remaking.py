"""What a command says before it makes a picture again that other versions or weights have made."""

from __future__ import annotations

from collections.abc import Mapping

from .run import complain


def warn_of_versions(then: Mapping[str, str]) -> None:
    """Say what is installed in another version than `then`."""
    from ..recipes import changed_versions

    changes = changed_versions(then)
    if changes:
        complain(f"versions differ, so pixels may too: {', '.join(changes)}", "Warning")


def warn_of_weights(model: str, now: str | None, then: str | None) -> None:
    """Say that a model's weights are others than then."""
    if now != then:
        complain(f"the weights of {model} are {now} and were {then}, so pixels will differ", "Warning")
