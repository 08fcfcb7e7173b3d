"""The formats that pictures are written in, by name and by a file's ending. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .bounds import check, shown

QUALITY = 90  # of WebP and JPEG, where none is asked for


@dataclass(frozen=True)
class PictureFormat:
    """A format.

    Attributes:
        name: what people ask for.
        title: what people call it.
        suffixes: what files of it end in; new files get the first one.
        most: pixels of the longest side that it can hold.
        lossy: whether pixels are no longer exact once they are written.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    most: int
    lossy: bool


PNG = PictureFormat("png", "PNG", (".png",), 2**31 - 1, lossy=False)
WEBP = PictureFormat("webp", "WebP", (".webp",), 16_383, lossy=True)
JPEG = PictureFormat("jpeg", "JPEG", (".jpg", ".jpeg"), 65_535, lossy=True)
FORMATS = {kind.name: kind for kind in (PNG, WEBP, JPEG)}
SUFFIXES = tuple(suffix for kind in FORMATS.values() for suffix in kind.suffixes)

_TEXT_OF_JPEG = 45_000  # bytes; its recipe has 65,502 at most, and settings, paths and versions need the rest


def named_format(name: Any) -> PictureFormat:
    """A format by its name.

    Raises:
        ValueError: there is none of this name.
    """
    if not isinstance(name, str) or name not in FORMATS:
        raise ValueError(f"format={shown(name)}: must be {_listed(list(FORMATS))}")
    return FORMATS[name]


def format_of(
    path: str | Path, formats: Sequence[PictureFormat] = tuple(FORMATS.values()), instead: str = ""
) -> PictureFormat:
    """The format that a file's name says.

    Args:
        formats: those that it can be.
        instead: what could be given instead of a file, for the message.

    Raises:
        ValueError: it ends in none of theirs.
    """
    suffix = Path(path).suffix.lower()
    for kind in formats:
        if suffix in kind.suffixes:
            return kind
    titles = _listed([kind.title for kind in formats])
    suffixes = _listed([suffix for kind in formats for suffix in kind.suffixes])
    raise ValueError(
        f"{path}: pictures are written as {titles}, so name a file that ends in {suffixes}{instead}"
    )


def check_quality(kind: PictureFormat, quality: int | None) -> None:
    """Is this a quality that the format has?

    Raises:
        ValueError: it lies outside the bounds, or the format keeps pixels as they are.
    """
    if quality is None:
        return
    check("quality", quality)
    if not kind.lossy:
        raise ValueError(
            f"quality is {quality}, and {kind.title} keeps pixels as they are: "
            "leave it out, or take format webp or jpeg"
        )


def check_room(kind: PictureFormat, height: int, width: int, *prompts: str | None) -> None:
    """Has the format room for so many pixels, and for the prompts in its recipe?

    Raises:
        ValueError: it has not.
    """
    if max(height, width) > kind.most:
        raise ValueError(
            f"width {width}, height {height} is too large for {kind.title}, whose sides have {kind.most:,} "
            "pixels at most: take another format"
        )
    size = sum(len(prompt.encode(errors="replace")) for prompt in prompts if prompt)
    if kind is JPEG and size > _TEXT_OF_JPEG:
        raise ValueError(
            f"the prompts have {size:,} bytes, and a JPEG's recipe has room for {_TEXT_OF_JPEG:,}: "
            "take another format"
        )


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
