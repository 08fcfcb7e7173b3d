"""The words of `padtone audit`, checked before anything is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from picturelab.bounds import check, check_prompt
from picturelab.notation import parse_size
from picturelab.settings import shortened


@dataclass(frozen=True)
class AuditOptions:
    """What was typed for one model's audit, word by word; None: left out."""

    prompts: Path | None
    count: int | None
    seeds: int | None
    clip: str
    keep: str
    size: str
    steps: int | None
    guidance: float | None
    negative: str | None
    max_length: int | None
    clean: str
    pooled: str
    looks: int
    batch: int | None
    device: str | None
    dtype: str | None

    def check(self, workers: int | None) -> None:
        """Are they within their bounds?

        Args:
            workers: as typed.

        Raises:
            ValueError: one is not.
        """
        from ..interventions.arguments import check_choices

        for name, value, bound in (
            ("count", self.count, "prompts"),
            ("seeds", self.seeds, "seeds"),
            ("steps", self.steps, "steps"),
            ("guidance", self.guidance, "guidance"),
            ("max_length", self.max_length, "tokens"),
            ("looks", self.looks, "prompts"),
            ("batch", self.batch, "batch"),
            ("workers", workers, "workers"),
        ):
            if value is not None:
                check(name, value, bound)
        if self.negative is not None:
            check_prompt("negative", self.negative)
        check_choices(self.clean, self.pooled)
        _ = self.height_and_width, self.keep_counts

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """In pixels; None: the model's own.

        Raises:
            ValueError: the size is none, or out of bounds.
        """
        if not self.size:
            return None
        height, width = parse_size(self.size)
        return check("height", height), check("width", width)

    @property
    def keep_counts(self) -> tuple[int, ...]:
        """Numbers of padding tokens; empty: the usual ones.

        Raises:
            ValueError: one is no such number.
        """
        parts = [part.strip() for part in self.keep.split(",") if part.strip()]
        if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
            raise ValueError(
                f"keep is {shortened(repr(self.keep), 80)}; it is a list of numbers of padding tokens, such as 0,1,4,16"
            )
        return tuple(check("keep", int(part), "kept") for part in parts)
