"""The audit of more prompts of the same model: where it lies, in a checkout or in the repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from picturelab.textfiles import read_json
from picturelab.worlds import USUAL

KEPT = Path("benchmarks") / "results" / "audit"  # in the repository
_CHECKOUT = Path(__file__).parents[2]  # of an editable install
FULL_AUDITS = ("joint", "joint-masked", "joint-registers", "unet", "unet-frozen")
FULL_PROMPTS = 64  # of each


@dataclass(frozen=True)
class FullAudit:
    """An audit of more prompts.

    Attributes:
        page: its report.html; None: it is not on this machine, as far as one looks.
        place: the same in the repository.
        prompts: how many it has.
        verdict: "" where it is not here.
    """

    page: Path | None
    place: str
    prompts: int
    verdict: str = ""

    def address(self, folder: Path) -> str | None:
        """Of its page, as seen from a folder; None where it is not here."""
        return None if self.page is None else Path(os.path.relpath(self.page, folder.resolve())).as_posix()

    @property
    def sentence(self) -> str:
        """For a terminal."""
        if self.page is None:
            return (
                f"The full audit of this model, of {self.prompts} prompts, is {self.place} in the repository."
            )
        return f"The full audit of this model, of {self.prompts} prompts ({self.verdict}): {self.page}"


def full_audit(
    results: Mapping[str, Any], folder: Path, checkout: Path | None = _CHECKOUT
) -> FullAudit | None:
    """The audit of more prompts that stands in a checkout; None: there is none, or it is of other weights.

    Looked at are the checkout that is imported, and whatever lies above the report and the current folder: an
    installed package may be far from the checkout that the report is written into.

    Args:
        results: the content of report.json.
        folder: where the report lies.
        checkout: None: only what lies above.
    """
    settings = results["settings"]
    owner, _, name = str(settings["model"]).partition("/")
    if owner != USUAL or name not in FULL_AUDITS or len(settings["prompts_used"]) >= FULL_PROMPTS:
        return None
    place = KEPT / name / "report.html"
    roots = [checkout] if checkout else []
    for start in (folder.resolve(), Path.cwd()):
        roots += [start, *start.parents]
    page = next((root / place for root in roots if (root / place).is_file()), None)
    if page is None:
        return FullAudit(None, place.as_posix(), FULL_PROMPTS)
    try:
        other = read_json(page.with_suffix(".json"))
        prompts, found = len(other["settings"]["prompts_used"]), str(other["verdict"])
        same = other["settings"]["revision"] == settings["revision"]
    except (ValueError, LookupError, TypeError):
        return None
    if not same or prompts <= len(settings["prompts_used"]):
        return None
    return FullAudit(page, place.as_posix(), prompts, found)
