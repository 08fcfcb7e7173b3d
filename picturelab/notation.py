"""How people write sizes, scales and ControlNets, on the command line, in jobs files and on the page. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weighted:
    """A file or model with a scale, typed as NAME or NAME@SCALE."""

    name: str
    scale: float = 1.0


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of a size as people type it, WIDTHxHEIGHT.

    Raises:
        ValueError: it is not of this form.
    """
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip())
    if not match:
        raise ValueError(f"size {text!r} is not understood: give WIDTHxHEIGHT in pixels, such as 384x256")
    return int(match[2]), int(match[1])


def parse_weighted(text: str) -> Weighted:
    """NAME or NAME@SCALE.

    Raises:
        ValueError: the scale is no finite number.
    """
    name, at, scale = text.rpartition("@")
    if not at:
        return Weighted(text)
    try:
        value = float(scale)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise ValueError(
            f"{text!r} is not understood: give FILE or FILE@SCALE, such as style.safetensors@0.8"
        )
    return Weighted(name, value)


def parse_control(text: str) -> tuple[str, Path, float]:
    """A ControlNet, its picture and its scale, MODEL=PICTURE or MODEL=PICTURE@SCALE.

    Raises:
        ValueError: it is not of this form.
    """
    model, equals, rest = text.partition("=")
    if not (model and equals and rest):
        raise ValueError(
            f"control {text!r} is not understood: give MODEL=PICTURE or MODEL=PICTURE@SCALE, "
            "such as controlnets/canny=edges.png@0.7"
        )
    picture = parse_weighted(rest)
    return model, Path(picture.name), picture.scale
