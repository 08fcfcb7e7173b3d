"""What the instruments share and neither owns: models by name, the manners of a command, pictures with recipes."""

import sys
import warnings

__all__ = ["Remark", "remark"]

_INSIDE = ("fouriscale", "picturelab", "padtone", "contextlib")


class Remark(UserWarning):
    """A warning meant for the person who typed the prompt; the commands print it as one sentence."""


def remark(sentence: str) -> None:
    """Warn with a `Remark` that points at the caller's own line, however deep within us it arose."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").split(".")[0] in _INSIDE:
        level += 1
    warnings.warn(sentence, Remark, stacklevel=level + 1)
