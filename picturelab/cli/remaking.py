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


def check_weights(model: str, now: str | None, then: str | None) -> None:
    """Say that a model's weights are others than then.

    Raises:
        ValueError: so they are, and the model is a shipped one. New weights of it may draw at another size, so nothing
            of the picture would be made again.
    """
    from .. import worlds

    if now == then:
        return
    difference = f"the weights of {model} are {now} and were {then}"
    if worlds.split(model) is not None:
        raise ValueError(f"{difference}: the picture can be made again with the version that shipped those")
    complain(f"{difference}, so pixels will differ", "Warning")
