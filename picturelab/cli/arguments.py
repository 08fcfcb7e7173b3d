"""What people type on the command line, checked before anything is loaded. Pure but for `output_file`."""

from __future__ import annotations

import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True)
class Weighted:
    """A file or model with a scale, typed as NAME or NAME@SCALE."""

    name: str
    scale: float = 1.0


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number") from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no number") from None


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of a size as people type it, WIDTHxHEIGHT."""
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", text.strip())
    if not match:
        raise ValueError(f"size {text!r} is not understood: give WIDTHxHEIGHT in pixels, such as 384x256")
    return int(match[2]), int(match[1])


def weighted(text: str) -> Weighted:
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


def control(text: str) -> tuple[str, Path, float]:
    """A ControlNet and its picture, MODEL=PICTURE or MODEL=PICTURE@SCALE."""
    model, equals, rest = text.partition("=")
    if not (model and equals and rest):
        raise ValueError(
            f"control {text!r} is not understood: give MODEL=PICTURE or MODEL=PICTURE@SCALE, "
            "such as controlnets/canny=edges.png@0.7"
        )
    picture = weighted(rest)
    return model, Path(picture.name), picture.scale


def output_file(out: Path, name: str) -> Path:
    """The file to write: `out` itself if it ends in .png, or else `name`.png in the folder `out`.

    Raises:
        ValueError: it could not be written there.
    """
    if out.suffix and out.suffix.lower() != ".png" and not out.is_dir():
        raise ValueError(f"{out}: pictures are written as PNG, so name a file that ends in .png, or a folder")
    path = out if out.suffix.lower() == ".png" and not out.is_dir() else out / f"{name}.png"
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return path
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror}: {there}); name another file or folder"
        ) from None


def slug(prompt: str) -> str:
    """A file name's worth of a prompt."""
    return "-".join(re.findall(r"\w+", prompt.lower()))[:60] or "picture"
