"""What a change of words does to a text's rows, by what they are, and how it grows with the number of words. Pure.

The ancestor is *On the Robustness of Text Vectorizers* (Catellier et al., ICML 2023, arXiv 2303.07203), which bounds
the change of a text's vector by the number of words replaced; here it is measured, row by row.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

WORD, LATER, EARLIER, POOLED = "the word itself", "later words", "earlier words", "pooled"
PARTS = (WORD, LATER, EARLIER, "bos", "eos", "template", "padding", POOLED)


@dataclass(frozen=True)
class RowChanges:
    """How much the rows of one encoder, or a pooled vector, change with the words of the prompt.

    Every change is a root mean square over channels, rows and draws, as a part of the mean distance of two unrelated
    prompts at rows of the same role: 1 is as much as another prompt. None and nan: unrelated prompts do not differ
    there. Squares are averaged, not distances: so words that move a text in independent directions have the exponent
    1/2 even where some of them move it further than others.

    Attributes:
        name: the encoder's, or that of the pipeline's argument that is the pooled vector.
        tokens, roles: one a row; a pooled vector is one row of the role "pooled".
        distances: {role: mean distance of two unrelated prompts}, in the encoding's own unit.
        changes: {part: one a number of words}; the parts are in `PARTS`.
        exponents: {part: slope of log change over log words}; 1/2 for word vectors laid side by side. None:
            nothing changed, or one number of words alone was tried.
        carry: (words, rows), the change of each row where one word is replaced.
        own: the rows of each word.
    """

    name: str
    tokens: tuple[str, ...]
    roles: tuple[str, ...]
    distances: Mapping[str, float]
    changes: Mapping[str, tuple[float | None, ...]]
    exponents: Mapping[str, float | None]
    carry: torch.Tensor
    own: tuple[tuple[int, ...], ...]

    @property
    def pooled(self) -> bool:
        return self.roles == (POOLED,)

    def of_word(self, index: int) -> dict[str, float]:
        """The change of each part where one word is replaced."""
        parts = parts_of_change(self.roles, self.own[index])
        return part_changes(self.carry[index] ** 2, parts)

    def of_rows(self) -> torch.Tensor:
        """(rows,): the change of each row where one word is replaced, root mean square over the words."""
        return root_mean_square(self.carry)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        words = [self.of_word(i) for i in range(len(self.own))]
        return {
            "name": self.name,
            "tokens": list(self.tokens),
            "roles": list(self.roles),
            "distances": dict(self.distances),
            "changes": {part: list(values) for part, values in self.changes.items()},
            "exponents": dict(self.exponents),
            "words": [{part: plain(value) for part, value in word.items()} for word in words],
            "carry": [[plain(value) for value in row] for row in self.carry.tolist()],
        }


@dataclass(frozen=True)
class Sensitivity:
    """What the words of a prompt change.

    Attributes:
        prompt: as it was typed.
        words: those that were replaced, in order.
        unreplaced: those for which there is no other word with as many tokens.
        counts: numbers of words replaced at once: 1, 2 ...
        texts: one entry an encoder with rows, then one a pooled vector.
    """

    prompt: str
    words: tuple[str, ...]
    unreplaced: tuple[str, ...]
    counts: tuple[int, ...]
    texts: tuple[RowChanges, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "prompt": self.prompt,
            "words": list(self.words),
            "unreplaced": list(self.unreplaced),
            "counts": list(self.counts),
            "texts": [text.to_dict() for text in self.texts],
        }


def parts_of_change(roles: Sequence[str], changed: Iterable[int]) -> list[str]:
    """What each row is to a change of words: its role, and within the prompt its place beside the change.

    Args:
        changed: rows whose own token is another. Empty (the word was cut off): all words are earlier ones.
    """
    rows = set(changed)
    first = min(rows, default=len(roles))
    return [
        role if role != "prompt" else WORD if i in rows else EARLIER if i < first else LATER
        for i, role in enumerate(roles)
    ]


def row_changes(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of each row, in float32.

    Args:
        one, other: (rows, width).

    Returns:
        (rows,)
    """
    return (one.float() - other.float()).square().mean(dim=-1)


def part_changes(squares: torch.Tensor, parts: Sequence[str]) -> dict[str, float]:
    """Root mean square over the rows of each part.

    Args:
        squares: (rows,), mean squared differences.
        parts: one a row.
    """
    return {
        part: math.sqrt(float(squares[[i for i, p in enumerate(parts) if p == part]].mean()))
        for part in PARTS
        if part in parts
    }


def root_mean_square(values: torch.Tensor) -> torch.Tensor:
    """Over the first axis."""
    return values.square().mean(dim=0).sqrt()


def distances(texts: Sequence[tuple[torch.Tensor, Sequence[str]]]) -> dict[str, float]:
    """Mean distance of two texts at each role, over all pairs that both have it.

    Rows of padding are paired by place; those of another role by their order within it, for texts differ in length.

    Args:
        texts: (rows, width) and one role a row, of each text.
    """
    found: dict[str, list[float]] = {}
    for (one, roles), (other, others) in itertools.combinations(texts, 2):
        for role in dict.fromkeys(roles):
            ours, theirs = _paired(roles, others, role)
            if ours:
                squares = row_changes(one[ours], other[theirs])
                found.setdefault(role, []).append(math.sqrt(float(squares.mean())))
    return {role: sum(values) / len(values) for role, values in found.items()}


def relative(change: float | None, distance: float | None) -> float | None:
    """A change as a part of a distance; no change is 0 whatever the distance. None: one of the two is not there."""
    if change is None or change == 0:
        return change
    return change / distance if distance else None


def exponent(counts: Sequence[int], changes: Sequence[float | None]) -> float | None:
    """The slope of log change over log count, by least squares; None: fewer than two changes above 0."""
    points = [
        (math.log(count), math.log(change)) for count, change in zip(counts, changes, strict=True) if change
    ]
    if len(points) < 2:
        return None
    x, y = (sum(values) / len(points) for values in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


def role_of(part: str) -> str:
    """The role whose distance a part is compared with."""
    return "prompt" if part in (WORD, LATER, EARLIER) else part


def plain(value: float) -> float | None:
    """A number for JSON, which knows no nan."""
    return None if math.isnan(value) else value


def _paired(roles: Sequence[str], others: Sequence[str], role: str) -> tuple[list[int], list[int]]:
    ours, theirs = ([i for i, r in enumerate(all_) if r == role] for all_ in (roles, others))
    if role == "padding":
        ours = theirs = sorted({*ours} & {*theirs})
    count = min(len(ours), len(theirs))
    return ours[:count], theirs[:count]
