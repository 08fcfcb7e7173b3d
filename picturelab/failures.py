"""What others' errors say, as one plain sentence. The one place that knows their kinds."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MOST = 300  # letters of somebody else's message


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
