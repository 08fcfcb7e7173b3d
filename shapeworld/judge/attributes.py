"""What of a scene is right in a picture, attribute by attribute. Pure."""

from __future__ import annotations

import dataclasses
from collections import Counter

from ..scenes import Scene
from .checker import Found, Report, _same_objects


def attributes_correct(scene: Scene, report: Report) -> dict[str, bool]:
    """Whether background, colours, shapes, number and relation are the scene's, each whatever the others are.

    Colours and shapes are right where every one of the scene's is among those of the objects seen, the relation where
    it holds between two objects of the scene's colours; without one the scene has no such entry.
    """
    right = {
        "background": report.background == scene.background,
        "colour": _holds([item.color for item in scene.objects], [seen.color for seen in report.objects]),
        "shape": _holds([item.shape for item in scene.objects], [seen.shape for seen in report.objects]),
        "count": len(report.objects) == len(scene.objects),
    }
    if scene.relation is not None:
        # As the scene's objects, whatever their shapes are, and judged by the same rule.
        seen = [(_of_colour(report.objects, item.color), item.shape) for item in scene.objects]
        named = tuple(dataclasses.replace(one, shape=shape) for one, shape in seen if one is not None)
        right["relation"] = _same_objects(named, scene)
    return right


def _holds(wanted: list[str], seen: list[str]) -> bool:
    return Counter(wanted) <= Counter(seen)


def _of_colour(objects: tuple[Found, ...], color: str) -> Found | None:
    """The largest object of a colour."""
    return next((seen for seen in objects if seen.color == color), None)
