"""How people write sizes, scales and ControlNets, on the command line, in jobs files and on the page."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weighted:
    """A file or model with a scale, typed as NAME or NAME@SCALE."""

    name: str
    scale: float = 1.0


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of a size as people type it, WIDTHxHEIGHT, with blanks and \u00d7 allowed.

    Raises:
        ValueError: it is not of this form.
    """
    match = re.fullmatch(r"(\d{1,6})\s*[xX\u00d7]\s*(\d{1,6})", text.strip())
    if not match:
        raise ValueError(f"size {text!r} is not understood: give WIDTHxHEIGHT in pixels, such as 384x256")
    return int(match[2]), int(match[1])


def parse_weighted(text: str) -> Weighted:
    """NAME or NAME@SCALE. What stands after the last @ is a scale if it is a number, unless a file has this name.

    Raises:
        ValueError: the scale is infinite or no number by name, or the name is missing.
    """
    name, at, scale = text.rpartition("@")
    if not at or os.path.exists(text):
        return Weighted(text)
    try:
        value = float(scale)
    except ValueError:
        return Weighted(text)
    if not name or not math.isfinite(value):
        raise ValueError(
            f"{text!r} is not understood: give FILE or FILE@SCALE, such as style.safetensors@0.8"
        )
    return Weighted(name, value)


def parse_control(text: str) -> tuple[str, Path, float]:
    """A ControlNet, its picture and its scale, MODEL=PICTURE or MODEL=PICTURE@SCALE.

    Of several = that one counts which has a folder before it and a file behind it, and else the first.

    Raises:
        ValueError: it is not of this form.
    """
    places = [match.start() for match in re.finditer("=", text)]
    halves = [(text[:i], text[i + 1 :]) for i in places if 0 < i < len(text) - 1]
    if not halves:
        raise ValueError(
            f"control {text!r} is not understood: give MODEL=PICTURE or MODEL=PICTURE@SCALE, "
            "such as controlnets/canny=edges.png@0.7"
        )
    pairs = [(model, parse_weighted(rest)) for model, rest in halves]
    model, picture = max(
        pairs,
        key=lambda pair: (os.path.isfile(pair[1].name), os.path.isdir(pair[0])),  # of equals the first
    )
    return model, Path(picture.name), picture.scale
