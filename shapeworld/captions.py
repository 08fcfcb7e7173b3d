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


def kinds() -> dict[str, list[str]]:
    """Words by kind: one can stand in a caption where another of its kind stands."""
    first_words = [relation.partition(" ")[0] for relation in RELATIONS]
    return {
        "size": ["large", "small"],
        "colour": list(COLORS),
        "shape": list(SHAPES),
        "side": first_words[:2],
        "height": first_words[2:],
    }


def unknown_words(prompt: str | None) -> list[str]:
    """What a prompt holds that no caption does, in order: the shipped models take all of it for one word."""
    known = words()
    spoken = re.findall(r"\w+|[^\w\s]", (prompt or "").lower())
    return [word for word in dict.fromkeys(spoken) if word not in known]
