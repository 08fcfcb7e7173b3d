"""What lies in an audit's folder, and under which names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from picturelab.runs.folder import RunFolder

from ..recipe import RECIPE
from .arms import keep_arm
from .plan import AuditPlan, attention_key
from .prompts import Judge
from .settings import AuditSettings


def run_folder(folder: Path) -> RunFolder:
    """An audit's folder."""
    return RunFolder(folder, "an audit", RECIPE)


def picture_name(arm: str, prompt: int, seed: int) -> str:
    """Where a picture lies among the images."""
    return f"{arm.replace('/', ' of ').replace(' ', '-')}/p{prompt:03}-s{seed}.png"


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
        """One picture, by its arm's full name and its prompt's position."""
        return self.run_folder.picture(picture_name(arm, prompt, seed))

    def seconds(self, tokens_kept: int | None) -> list[float]:
        """Of a picture with so many padding tokens, a prompt each; None: with all.

        Raises:
            FileNotFoundError: such pictures are not there.
        """
        return [self._notes(f"p{i:03} {keep_arm(tokens_kept)}")["seconds"] for i in self.plan.used]

    def attention(self, prompt: int) -> dict[str, list[list[float]]]:
        """{group: table of (layers, steps)}.

        Raises:
            FileNotFoundError: it was not measured.
        """
        return self._notes(attention_key(prompt))["attention"]

    def _notes(self, key: str) -> dict[str, Any]:
        notes = self.run_folder.piece(key)
        if notes is None:
            raise FileNotFoundError(
                f"{self.run_folder.folder} holds no piece {key}: run the audit to its end first"
            )
        return notes
