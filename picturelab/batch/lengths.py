"""What it saves that the texts of a group are of one length: no padding between them, and no mask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class LengthSaving:
    """Groups of texts of one length, beside groups in the order of the file.

    Attributes:
        jobs: in these groups.
        groups: of one length each.
        groups_of_file: as many jobs at once in the order of the file.
        masked: of those, the ones in which texts are of unequal lengths, so that a mask is needed.
        tokens: of the texts.
        padding: rows that the groups in the order of the file are evened out with.
    """

    jobs: int
    groups: int
    groups_of_file: int
    masked: int
    tokens: int
    padding: int

    def __add__(self, other: LengthSaving) -> LengthSaving:
        return LengthSaving(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )

    def sentence(self) -> str:
        share = self.padding / (self.tokens + self.padding)
        return (
            f"{self.jobs:,} jobs are in {self.groups:,} groups of one text length each, without padding or mask; in "
            f"the order of the file {self.masked:,} of {self.groups_of_file:,} groups would need a mask, and "
            f"{share:.0%} of their text would be padding"
        )


def saved_by_length(lengths: Sequence[int], size: int) -> LengthSaving:
    """The saving for jobs of one kind.

    Args:
        lengths: of their texts in tokens, in the order of the file.
        size: most jobs in a group.
    """
    of_file = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return LengthSaving(
        jobs=len(lengths),
        groups=sum(ceil(count / size) for count in Counter(lengths).values()),
        groups_of_file=len(of_file),
        masked=sum(len(set(group)) > 1 for group in of_file),
        tokens=sum(lengths),
        padding=sum(max(group) * len(group) - sum(group) for group in of_file),
    )
