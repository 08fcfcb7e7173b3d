"""Captions and the tokenizer's words. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scenes import Object, Scene


def caption(scene: Scene) -> str:
    """`a large red circle on a blue background`, or
    `a green triangle left of a yellow square on a black background`."""
    first, *rest = (_phrase(item) for item in scene.objects)
    middle = f" {scene.relation} {rest[0]}" if rest else ""
    return f"{first}{middle} on a {scene.background} background"


def _phrase(item: Object) -> str:
    return " ".join(word for word in ("a", item.size, item.color, item.shape) if word)


def words() -> list[str]:
    """Every word a caption can hold, sorted."""
    from .scenes import COLORS, RELATIONS, SHAPES

    known = {"a", "on", "background", "large", "small", *COLORS, *SHAPES}
    for relation in RELATIONS:
        known.update(relation.split())
    return sorted(known)


def unknown_words(prompt: str | None) -> list[str]:
    """What a prompt holds that no caption does, in order: the shipped models take all of it for one word."""
    known = words()
    spoken = re.findall(r"\w+|[^\w\s]", (prompt or "").lower())
    return [word for word in dict.fromkeys(spoken) if word not in known]
