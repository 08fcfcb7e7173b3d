"""What visitors are told of an error: our own sentences without this machine's paths; of others' errors a number."""

from __future__ import annotations

import logging
import os
import re
import secrets
import site
import sys
import tempfile
from pathlib import Path

from picturelab.failures import is_ours, printable

_log = logging.getLogger(__name__)
_MOST = 1000  # letters of a sentence: what a visitor sent may stand in it
_hidden: set[str] = set()  # folders of the host


def sentence(error: BaseException) -> str:
    """An error as a visitor may read it, without a full stop at its end.

    ValueError and TypeError that our own code raised are sentences. Of all others the visitor gets the number under
    which the log holds them.
    """
    if isinstance(error, ValueError | TypeError) and is_ours(error):
        text = printable(without_paths(str(error))).rstrip(".")
        return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."
    number = secrets.token_hex(4)
    _log.error("error %s", number, exc_info=error)
    return general_sentence(number)


def general_sentence(number: str | None = None) -> str:
    """That something went wrong of which a visitor can know nothing more.

    Args:
        number: where the log holds it; None takes a new one and notes it there.
    """
    if number is None:
        number = secrets.token_hex(4)
        _log.error("error %s: the traceback stands above", number)
    return (
        f"this failed inside the page, as number {number} in its log: tell who runs it, or try something else"
    )


def hide(folder: Path | str) -> None:
    """Have no sentence name this folder of the host, nor what holds it."""
    _hidden.add(str(Path(folder).resolve()))


def without_paths(text: str) -> str:
    """A text in which files of this machine stand by their names alone."""
    for root in sorted({*_hidden, *_known()}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w/]){re.escape(root)}(?:/[^\s'\",;:()]*|(?![\w.-]))", _last_part, text)
    return text


def _last_part(match: re.Match[str]) -> str:
    return Path(match[0]).name


def _known() -> set[str]:
    """Folders whose names say something about this machine."""
    folders = {Path.cwd(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix), Path(sys.base_prefix)}
    folders |= {Path(folder) for folder in site.getsitepackages()}
    folders |= {Path(os.environ[name]) for name in ("HF_HOME", "HF_HUB_CACHE") if os.environ.get(name)}
    folders.add(Path(__file__).parents[1])
    return {str(folder) for folder in folders if len(folder.parts) > 1}
