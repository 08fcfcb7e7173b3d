"""Text files that people hand in, as editors, spreadsheets and phones save them; JSON and YAML, read strictly."""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import os
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from .bounds import shown
from .failures import printable, reason, told_as

_MARK = "\ufeff"  # a byte order mark, once decoded
_CHUNK = 2**20
_REPEATED = 100_000  # nodes that the aliases of a YAML file may add to it
# What a file begins with, longest first: UTF-32's mark begins with UTF-16's.
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_OTHERS = (
    (b"PK\x03\x04", "an Excel workbook or another ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "compressed"),
)
_TYPOGRAPHIC = "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"


def read_text(path: Path) -> str:
    """A text file as text, without byte order marks: UTF-8, or UTF-16 and UTF-32 that begin with one.

    Raises:
        ValueError: it cannot be read, or is no such text; the sentence names the file, the byte and the line.
    """
    return text_of(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """What an ordinary file holds.

    Raises:
        ValueError: it is none, or cannot be read.
    """
    with open_file(path) as stream, told_as(f"{printable(str(path))} cannot be read", OSError):
        return stream.read()


def open_file(path: Path) -> BinaryIO:
    """A file to read; devices, which may have no end, are none.

    Raises:
        ValueError: it is none, or cannot be read.
    """
    with told_as(f"{printable(str(path))} cannot be read", OSError, ValueError):
        mode = os.stat(path).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise ValueError("it is a device")
        return path.open("rb")


def text_of(content: bytes, path: Path) -> str:
    """The text of a file's content, see `read_text`."""
    return "".join(_pieces(iter([content]), path))


def text_copy(path: Path) -> tuple[BinaryIO, str]:
    """A text file as it is now: as UTF-8 in a nameless file, and the original's sha256.

    Whoever reads it slowly reads one state of it, whatever becomes of the original.

    Raises:
        ValueError: see `read_text`; or there is no room for the copy.
    """
    digest = hashlib.sha256()

    def chunks(stream: BinaryIO) -> Iterator[bytes]:
        while True:
            with told_as(f"{printable(str(path))} cannot be read", OSError):
                chunk = stream.read(_CHUNK)
            if not chunk:
                return
            digest.update(chunk)
            yield chunk

    copy: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (read until the batch ends)
    try:
        with open_file(path) as stream, told_as(_no_room(path), OSError):
            copy.writelines(piece.encode() for piece in _pieces(chunks(stream), path))
            copy.seek(0)  # which writes the last of it
    except BaseException:
        copy.close()
        raise
    return copy, digest.hexdigest()


def _no_room(path: Path) -> str:
    return f"{printable(str(path))} cannot be copied to {tempfile.gettempdir()}"


def _pieces(chunks: Iterator[bytes], path: Path) -> Iterator[str]:
    """The text of a file, chunk by chunk."""
    first = next(chunks, b"")
    for magic, kind in _OTHERS:
        if first.startswith(magic):
            raise ValueError(f"{path} is {kind}, no text; save it as UTF-8 text (in Excel: CSV UTF-8)")
    encoding = next((name for mark, name in _ENCODINGS if first.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)()
    place, line = 0, 1  # of the chunk's first byte
    chunk: bytes | None = first
    while chunk is not None:
        following = next(chunks, None)
        waiting = len(decoder.getstate()[0])  # bytes of a letter that the last chunk has begun
        try:
            text = decoder.decode(chunk, following is None)
        except UnicodeDecodeError as error:
            byte = place - waiting + error.start
            line += chunk[: max(error.start - waiting, 0)].count("\n".encode(encoding))
            raise ValueError(
                f"{path} is not {encoding.removesuffix('-le').removesuffix('-be').upper()} ({error.reason} "
                f"at byte {byte}, in line {line}); save it as UTF-8"
            ) from None
        if "\0" in text:
            line += text[: text.index("\0")].count("\n")
            raise ValueError(
                f"{path} is no text in UTF-8 (a zero byte in line {line}): UTF-16 without a byte order mark has "
                "these; save it as UTF-8"
            )
        place, line, chunk = place + len(chunk), line + text.count("\n"), following
        # Also in the midst, where files were put together: the mark has no other use.
        yield text.replace(_MARK, "")


def parse_json(text: str) -> Any:
    """What JSON stands for; no name may stand twice in an object.

    Raises:
        ValueError: it is not JSON, says what stands in the way; or it is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        there = text[error.pos : error.pos + 1]
        stands = f", where {printable(there)} stands" if there.strip() else ""
        straight = ': JSON takes straight quotes, "' if there and there in _TYPOGRAPHIC else ""
        where = f"line {error.lineno}, letter {error.colno}" if error.lineno > 1 else f"letter {error.colno}"
        raise ValueError(f"{error.msg} at {where}{stands}{straight}") from None
    except RecursionError as error:
        raise ValueError(reason(error)) from None


def read_json(path: Path, sentence: str | None = None) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        sentence: what a message begins with; None: that the file cannot be read.

    Raises:
        ValueError: it cannot be read, is no JSON, or no object.
    """
    with told_as(sentence or f"{printable(str(path))} cannot be read", OSError, ValueError):
        values = parse_json(text_of(path.read_bytes(), path))
        if not isinstance(values, dict):
            raise ValueError("it is no JSON object")
        return values


def lines(text: str, comment: str | None = None) -> list[tuple[int, str]]:
    """The lines of a text with their numbers, from 1, without the white space around them; blank ones are left out.

    Args:
        comment: what lines begin with that are left out, too.
    """
    stripped = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(i, line) for i, line in stripped if line and not (comment and line.startswith(comment))]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(name)} stands there twice")
    return values


def read_yaml(path: Path) -> Any:
    """What a YAML file stands for: plain values, names only once in a mapping, aliases that stay small.

    Raises:
        ValueError: it cannot be read, or is no such YAML.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: Path) -> Any:
    """What the text of a YAML file stands for, see `read_yaml`."""
    # Besides YAMLError, values such as 2024-13-45 and numbers of thousands of digits raise ValueError.
    with told_as(f"{path} is no YAML", yaml.YAMLError, ValueError, OverflowError, RecursionError):
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            if node is None:
                return None
            _check_nodes(node)
            return loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = " ".join(filter(None, (error.context, error.problem)))
            raise ValueError(words if mark is None else f"{words}, in line {mark.line + 1}") from None


def _check_nodes(root: yaml.Node) -> None:
    """Refuse names that stand twice in a mapping, and aliases that have no end or grow far beyond the file."""
    sizes: dict[int, int] = {}
    unfinished: set[int] = set()

    def size(node: yaml.Node) -> int:
        """Of a node with its aliases written out."""
        line = node.start_mark.line + 1
        if id(node) in unfinished:
            raise ValueError(f"what stands in line {line} has an alias of itself inside")
        if id(node) not in sizes:
            for (_, name), times in Counter((key.tag, key.value) for key in _names(node)).items():
                if times > 1:
                    raise ValueError(f"{name!r} stands there twice, in the mapping of line {line}")
            unfinished.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _children(node)))
            unfinished.remove(id(node))
        return sizes[id(node)]

    if (whole := size(root)) - len(sizes) > _REPEATED:
        raise ValueError(
            f"its aliases make {whole:.3g} values of {len(sizes)}; they may add {_REPEATED:,} at most"
        )


def _names(node: yaml.Node) -> list[yaml.ScalarNode]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [
        key
        for key, _ in node.value
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge"
    ]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def nearest(name: str, known: Iterable[str]) -> str:
    """In brackets the word that is most like one that is not known, such as " (did you mean 'prompt'?)"; or nothing."""
    close = difflib.get_close_matches(name.casefold(), sorted(known), 1, 0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""
