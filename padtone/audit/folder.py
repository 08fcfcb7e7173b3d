"""What lies in an audit's folder, and under which names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from picturelab.failures import told_as
from picturelab.runs.folder import RunFolder

from ..recipe import RECIPE
from .arms import keep_arm
from .plan import AuditPlan, Piece, attention_key, pieces_of, prompts_looked_at
from .prompts import Judge
from .settings import AuditSettings


def run_folder(folder: Path) -> RunFolder:
    """An audit's folder."""
    return RunFolder(folder, "an audit", RECIPE)


def picture_name(arm: str, prompt: int, seed: int) -> str:
    """Where a picture lies among the images."""
    return f"{arm.replace('/', ' of ').replace(' ', '-')}/p{prompt:03}-s{seed}.png"


class PieceNotes(BaseModel):
    """What a finished piece wrote down.

    Attributes:
        seconds: of a picture; None where there is none.
        attention: {group: table of (layers, steps)}; None where it was not measured.
        left_out: {arm's full name, or "attention": why there is none}.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    attention: dict[str, list[list[FiniteFloat]]] | None = None
    left_out: dict[str, str] = Field(default_factory=dict)

    def are_of(self, piece: Piece) -> bool:
        """Whether they say all that there is to say of a piece."""
        if piece.work is None:
            return (self.attention is None) == (ATTENTION in self.left_out)
        arms = set(map(piece.work.name, piece.work.arms))
        return self.left_out.keys() <= arms and (self.seconds is None) == (self.left_out.keys() == arms)


class LengthNotes(BaseModel):
    """How long the denoiser's calls took at one length of a prompt's text.

    Attributes:
        treatment, tokens_kept, rows: see `TimedLength`.
        seconds: of a call, the median.
        speedup, speedup_range: how many times as fast as the whole text; median and middle half of the calls.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    treatment: str
    tokens_kept: int | None
    rows: int
    seconds: FiniteFloat
    speedup: FiniteFloat
    speedup_range: list[FiniteFloat]


class TimedPrompt(BaseModel):
    """The lengths at which the typical prompt was timed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    prompt: int
    lengths: list[LengthNotes]


ATTENTION = "attention"  # where something else is an arm


def read_notes(run_folder: RunFolder, key: str) -> PieceNotes | None:
    """What a finished piece wrote down; None: it is to be made, for the first time or since it is damaged."""
    try:
        notes = run_folder.piece(key)
        return None if notes is None else PieceNotes.model_validate(notes)
    except (OSError, ValueError, RecursionError):  # empty after a power cut, cut off, a folder in its place
        return None


@dataclass(frozen=True)
class AuditPictures:
    """An audit's pictures and notes: all that its figures are computed from.

    Attributes:
        judge: what a ground truth says of a picture; None: there is none.
        machine, versions: what it was painted with.
    """

    settings: AuditSettings
    plan: AuditPlan
    run_folder: RunFolder
    judge: Judge | None
    machine: dict[str, Any]
    versions: dict[str, str]

    def picture(self, arm: str, prompt: int, seed: int) -> Image.Image:
        """One picture, by its arm's full name and its prompt's position.

        Raises:
            ValueError: it is not there or damaged.
        """
        name = picture_name(arm, prompt, seed)
        path = self.run_folder.folder / "images" / name
        with told_as(f"{path} cannot be read; the same command makes it again"):
            return self.run_folder.picture(name)

    def left_out(self) -> dict[tuple[int, str], str]:
        """{(prompt's position, arm's full name or "attention"): why it has none}, of the prompts that are used."""
        return {
            (piece.prompt, name): why
            for piece in pieces_of(self.plan, self.settings)
            for name, why in self._notes(piece.key).left_out.items()
        }

    def seconds(self, tokens_kept: int | None) -> dict[int, float]:
        """{prompt's position: of a picture with so many padding tokens}; None: with all.

        Raises:
            FileNotFoundError: the audit has not come to its end.
        """
        notes = {i: self._notes(f"p{i:03} {keep_arm(tokens_kept)}") for i in self.plan.used}
        return {i: note.seconds for i, note in notes.items() if note.seconds is not None}

    def attention(self) -> dict[int, dict[str, list[list[float]]]]:
        """{prompt's position: {group: table of (layers, steps)}} of the prompts that were looked at.

        Raises:
            FileNotFoundError: it was not measured.
        """
        looked_at = prompts_looked_at(self.plan, self.settings)
        notes = {i: self._notes(attention_key(i)).attention for i in looked_at}
        return {i: tables for i, tables in notes.items() if tables}

    def _notes(self, key: str) -> PieceNotes:
        notes = read_notes(self.run_folder, key)
        if notes is None:
            raise FileNotFoundError(
                f"{self.run_folder.folder} holds no piece {key}: run the audit to its end first"
            )
        return notes
