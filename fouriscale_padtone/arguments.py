"""What people type on the command line, checked before anything is loaded. Pure but for `output_file`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import typer


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
