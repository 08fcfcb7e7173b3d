"""Which token is the beginning, the prompt, the end, the template, the padding. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

ROLES = ("bos", "prompt", "eos", "template", "padding")
# Names rows of a text: "padding", a row, a slice, or several of these.
RowChoice = str | slice | int | Sequence["str | slice | int"]

# Of encoders that share a row the first of these roles counts: it is padding only where all of them pad.
_PRECEDENCE = ("prompt", "template", "bos", "eos", "padding")
_FIFTH = re.compile(r"padding (\d+)/(\d+)")
_NAMED = ("full", "clean", "prompt", "prompt only", "padding", "bos", "eos", "template")


@dataclass(frozen=True)
class TokenRoles:
    """What one text encoder contributes to the denoiser's text, token by token.

    Attributes:
        name: the pipeline's attribute, for example "text_encoder_2".
        tokens, ids, roles: one entry per row that the denoiser receives, all of the same length.
            A row without a token (added by a pipeline to even out a batch) has id -1 and token "".
        rows: the rows of the denoiser's text that these tokens fill; None where the encoder gives
            only its pooled vector.
        cut: the end of the prompt that did not fit; "" if all of it did.
    """

    name: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    roles: tuple[str, ...]
    rows: range | None
    cut: str = ""

    def count(self, role: str) -> int:
        """How many tokens have this role."""
        return self.roles.count(role)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON; without the rows."""
        texts = {"name": self.name, "tokens": list(self.tokens), "ids": list(self.ids)}
        return texts | {"roles": list(self.roles), "cut": self.cut}

    def at(self, role: str) -> list[int]:
        """Positions of this role, in order."""
        return [i for i, r in enumerate(self.roles) if r == role]


class _FillsRows(Protocol):
    @property
    def rows(self) -> range | None: ...


Filling = TypeVar("Filling", bound=_FillsRows)


@dataclass(frozen=True)
class SharedRows:
    """A stretch of the denoiser's text rows, and the encoders that fill it together.

    Attributes:
        names: the encoders, one or several.
        rows: the stretch.
        roles: one role a row. Encoders of one stretch may disagree (SDXL's two tokenizers cut "!!"
            differently, or read different prompts): the row has the first of prompt, template, bos, eos,
            padding that any of them has there.
    """

    names: tuple[str, ...]
    rows: range
    roles: tuple[str, ...]

    def at(self, role: str) -> list[int]:
        """The denoiser's rows with this role, in order."""
        return [row for row, r in zip(self.rows, self.roles, strict=True) if r == role]


def shared_rows(entries: Sequence[TokenRoles]) -> tuple[SharedRows, ...]:
    """The denoiser's text stretch by stretch, each with the roles that its encoders give it together.

    Args:
        entries: the roles of every encoder, one prompt; an encoder without rows has no part in it.
    """
    return tuple(_together(stretch) for stretch in by_stretch(entries))


def by_stretch(entries: Iterable[Filling]) -> list[list[Filling]]:
    """What encoders contribute, stretch by stretch: those that begin at the same row fill it together.

    Args:
        entries: one each; those without rows have no part in it.
    """
    stretches: dict[int, list[Filling]] = {}
    for entry in entries:
        if entry.rows is not None:
            stretches.setdefault(entry.rows.start, []).append(entry)
    return list(stretches.values())


def _together(entries: Sequence[TokenRoles]) -> SharedRows:
    rows = max((entry.rows for entry in entries if entry.rows is not None), key=len)
    roles = ["padding"] * len(rows)  # where a shorter encoder ends, the others decide
    for entry in entries:
        for i, role in enumerate(entry.roles):
            roles[i] = min(roles[i], role, key=_PRECEDENCE.index)
    return SharedRows(tuple(entry.name for entry in entries), rows, tuple(roles))


def real_span(ids: Sequence[int], *, pad: int | None, eos: int | None, side: str) -> tuple[int, int]:
    """First and one-past-last token that is not padding, judged by the ids alone.

    Padded with the end token itself (CLIP-L), the first end token behind the last other one is the end,
    for a prompt may have that token's name in its midst. Padded with anything else, padding is the run
    of that id at the padded side: "!" is padding in SD 2 only behind the end token.
    """
    length = len(ids)
    if pad is None:
        return 0, length
    if side == "left":
        start = next((i for i, token in enumerate(ids) if token != pad), length)
        return start, length
    if pad == eos:
        last = next((i for i in reversed(range(length)) if ids[i] != eos), -1)
        return 0, min(last + 2, length)
    return 0, next((i + 1 for i in reversed(range(length)) if ids[i] != pad), 0)


def nearest_padding(real: Sequence[int], length: int, count: int) -> range:
    """Positions of the `count` padding tokens nearest to the prompt.

    Padding lies before the text, behind it, or within it, before the end of a template (Krea 2, LongCat).

    Args:
        real: positions that are no padding, in order.
        length: number of tokens.
    """
    if real and real[0] > 0:
        return range(max(0, real[0] - count), real[0])
    start = next((i for i, position in enumerate(real) if position != i), len(real))
    stop = real[start] if start < len(real) else length
    return range(start, min(start + count, stop))


def assign(
    ids: Sequence[int],
    span: tuple[int, int],
    *,
    bos: Sequence[int],
    eos: Sequence[int],
    prompt: tuple[int, int] | None = None,
) -> list[str]:
    """The role of each id.

    Args:
        ids: what the text encoder received, padding included.
        span: first and one-past-last real token.
        bos: ids that open a text (CLS, `[gMASK]`, `<sop>` ...); counted only at its beginning.
        eos: ids that close it; only the last real token can be one.
        prompt: within a template, first and one-past-last token of the prompt, as positions in `ids`.
            None: everything between bos and eos is the prompt.
    """
    start, end = span
    roles = ["padding"] * len(ids)
    first, last = prompt if prompt is not None else (start, end)
    for i in range(start, end):
        roles[i] = "prompt" if first <= i < last else "template"
    for i in range(start, end):
        if ids[i] not in bos:
            break
        roles[i] = "bos"
    if end > start and ids[end - 1] in eos and roles[end - 1] == "prompt":
        roles[end - 1] = "eos"
    return roles


def chosen_rows(entries: Sequence[TokenRoles], choice: RowChoice, length: int) -> list[bool]:
    """Which of the denoiser's text rows a choice names.

    Args:
        entries: the roles of every encoder, one prompt.
        choice: "full"; "clean" (none); "prompt", which is everything but padding; "padding"; "bos",
            "eos", "template"; "padding 2/5", the second fifth of each encoder's padding; a row, a
            slice of rows; or a sequence of these, of which the union is taken. A row that several
            encoders fill counts once, see `SharedRows`.
            To name the role `prompt` alone, without bos and eos, write "prompt only".
        length: number of rows.

    Raises:
        ValueError: nothing has this role, or the choice reaches outside the rows.
    """
    check_rows(choice)
    rows = [False] * length
    for part in parts_of(choice):
        for row in _rows_of(entries, part, length):
            rows[row] = True
    return rows


def parts_of(choice: RowChoice) -> Sequence[str | slice | int]:
    """The single choices that a choice consists of."""
    return (choice,) if isinstance(choice, str | slice | int) else choice


def check_rows(choice: RowChoice) -> None:
    """Is this something that may name rows, whatever the prompt? It is the public argument `keep`.

    Raises:
        ValueError: it is not.
    """
    for part in parts_of(choice) if isinstance(choice, str | slice | int | Sequence) else [choice]:
        fifth = _FIFTH.fullmatch(part) if isinstance(part, str) else None
        if fifth and not 1 <= int(fifth[1]) <= int(fifth[2]):
            raise ValueError(f"keep is {part!r}; the first number goes from 1 to {fifth[2]}")
        if not isinstance(part, slice | int) and part not in _NAMED and not fifth:
            known = ", ".join(f'"{name}"' for name in _NAMED)
            raise ValueError(
                f'keep is {part!r}; it can be {known}, a part of the padding such as "padding 1/5", a row, a slice '
                "of rows, or several of these"
            )


def row_roles(entries: Sequence[TokenRoles], length: int) -> list[str]:
    """The role of each of the denoiser's text rows; "" where no encoder filled the row.

    A row that several encoders fill is padding only where it is padding for all of them, see `SharedRows`.
    """
    roles = [""] * length
    for stretch in shared_rows(entries):
        for row, role in zip(stretch.rows, stretch.roles, strict=True):
            roles[row] = role
    return roles


def _rows_of(entries: Sequence[TokenRoles], part: str | slice | int, length: int) -> list[int]:
    if isinstance(part, slice | int):
        return _rows_of_slice(part, length)
    if part == "full":
        return list(range(length))
    if part == "clean":
        return []
    fifth = _FIFTH.fullmatch(part)
    if fifth:
        rows = _rows_of_part(entries, int(fifth[1]), int(fifth[2]))
    elif part == "prompt":
        rows = [i for i, role in enumerate(row_roles(entries, length)) if role not in ("padding", "")]
    else:
        role = "prompt" if part == "prompt only" else part
        rows = [i for i, r in enumerate(row_roles(entries, length)) if r == role]
    if not rows:
        raise ValueError(_nothing(entries, part, length))
    return rows


def _rows_of_slice(part: slice | int, length: int) -> list[int]:
    if isinstance(part, int):
        if not -length <= part < length:
            raise ValueError(f"row {part} is outside the text's {length} rows")
        return [part % length]
    for edge in (part.start, part.stop):
        if edge is not None and not -length <= edge <= length:
            raise ValueError(f"{part} reaches outside the text's {length} rows")
    rows = list(range(length)[part])
    if not rows:
        raise ValueError(f"{part} keeps none of the text's {length} rows; name at least one")
    return rows


def _rows_of_part(entries: Sequence[TokenRoles], index: int, parts: int) -> list[int]:
    """Rows of the `index`-th of `parts` equal pieces of each stretch's padding, counted from 1."""
    rows: list[int] = []
    for stretch in shared_rows(entries):
        padding = stretch.at("padding")
        first, last = (len(padding) * edge // parts for edge in (index - 1, index))
        rows += padding[first:last]
    return sorted(rows)


def _nothing(entries: Sequence[TokenRoles], part: str, length: int) -> str:
    if not part.startswith("padding"):
        return f"keep={part!r} names no row: the text's {length} rows hold no such token"
    padding = sum(len(stretch.at("padding")) for stretch in shared_rows(entries))
    if padding:
        return f"keep={part!r} names no row: the text holds only {padding} rows of padding"
    return f"keep={part!r} names no row: the prompt fills all {length} rows and leaves no padding"
