"""What others' errors say, as one plain sentence. The one place that knows their kinds."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import site
import sysconfig
from collections.abc import Iterator

# Control characters, changes of direction, and halves of letters that no encoding can write.
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MOST = 300  # letters of somebody else's message
_OURS = ("fouriscale", "padtone", "picturelab", "picturelab_ui", "shapeworld")
_LIBRARIES = tuple({*site.getsitepackages(), *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))})
# Raised by what is written in C, torch too, at a line of ours.
_OF_THE_WORLD = (
    OSError,
    MemoryError,
    RecursionError,
    OverflowError,
    RuntimeError,
    UnicodeError,
    EOFError,
    ImportError,
)


def reason(error: BaseException) -> str:
    """Why something failed, as it stands in brackets: one line, printable, without a full stop at its end."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding.upper()}: {error.reason} at byte {error.start}"
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        return error.strerror or os.strerror(error.errno or 0)
    if isinstance(error, KeyError):  # its text is the key alone
        return f"{error} is missing"
    lines = (line.strip() for line in str(error).splitlines())
    text = printable(next(filter(None, lines), type(error).__name__)).rstrip(".")
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


def printable(text: str) -> str:
    """A text in which nothing steers a terminal: control characters and changes of direction stand as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def printable_json(text: str) -> str:
    """JSON text in which nothing steers a terminal, and which still says the same; lines stay lines."""
    return _CONTROL.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def foreign_sentence(error: BaseException) -> str | None:
    """What another library's error says, with the library's name or the file's; None: it was raised by ours.

    Foreign is what arose in another library's code, what has a kind of its own, and what Python raises for the world's
    sake, such as a full disk, wherever that is. What is left may be a bug of ours.
    """
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return f"{error.filename} cannot be used ({reason(error)})"
    library = _library(error)
    if library is None:
        return None
    return f"{library} failed ({reason(error)})"


def is_ours(error: BaseException) -> bool:
    """Whether our own code raised it, or made it to be shown: its text is ours too, if it is meant to be read."""
    return _library(error) is None


def _library(error: BaseException) -> str | None:
    """What raised an error; None: our own code."""
    kind = type(error).__module__.partition(".")[0]
    if kind not in ("builtins", *_OURS):
        return kind.removesuffix("_rust")
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is not None:
        name = str(last.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if name not in _OURS and _is_library(last.tb_frame.f_code.co_filename):
            return name or "Python"
    return "Python" if isinstance(error, _OF_THE_WORLD) else None


def _is_library(file: str) -> bool:
    """Whether code lies where Python and packages are installed, or in no file at all; a script of ours lies beside."""
    return not os.path.isabs(file) or file.startswith(_LIBRARIES)


@contextlib.contextmanager
def told_as(sentence: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn what fails inside into a ValueError: `sentence`, then the reason in brackets.

    Stands around calls of other libraries only, so that no sentence of ours is put in brackets.

    Args:
        sentence: such as "a.png cannot be read".
        kinds: what is turned; none: every `Exception`.

    Raises:
        ValueError: something failed.
    """
    try:
        yield
    except Exception as error:
        if kinds and not isinstance(error, kinds):
            raise
        raise ValueError(f"{sentence} ({reason(error)})") from error
