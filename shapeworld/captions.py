"""The words of captions, which are all that the shipped models can read. Pure."""

from __future__ import annotations

import re

from .scenes import COLORS, RELATIONS, SHAPES


def words() -> list[str]:
    """Every word a caption can hold, sorted."""
    known = {"a", "on", "background", "large", "small", *COLORS, *SHAPES}
    for relation in RELATIONS:
        known.update(relation.split())
    return sorted(known)


def unknown_words(prompt: str | None) -> list[str]:
    """What a prompt holds that no caption does, in order: the shipped models take all of it for one word."""
    known = words()
    spoken = re.findall(r"\w+|[^\w\s]", (prompt or "").lower())
    return [word for word in dict.fromkeys(spoken) if word not in known]
