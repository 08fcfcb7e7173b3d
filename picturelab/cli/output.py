"""Where a command writes its picture, and as what."""

from __future__ import annotations

from pathlib import Path

from ..files import output_file
from ..formats import FORMATS, PictureFormat, check_quality, format_of, named_format


def picture_file(
    out: Path, name: str, format: str | None = None, quality: int | None = None
) -> tuple[Path, PictureFormat]:
    """The file to write, and its format.

    Args:
        out: a file or a folder.
        name: of the file in that folder, without its ending.
        format: the name of the one that is asked for; None: as `out` ends, or PNG.

    Raises:
        ValueError: it could not be written there, or has no such format or quality.
    """
    wanted = None if format is None else named_format(format)
    path = output_file(out, name, tuple(FORMATS.values()), wanted)
    kind = format_of(path)
    check_quality(kind, quality)
    return path, kind
