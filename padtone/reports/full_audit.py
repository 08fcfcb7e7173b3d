"""The audit of more prompts of the same model that lies in this checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picturelab.textfiles import read_json
from picturelab.worlds import USUAL

_KEPT = Path(__file__).parents[2] / "benchmarks" / "results" / "audit"


def full_audit(results: Mapping[str, Any], folder: Path, kept: Path = _KEPT) -> dict[str, Any] | None:
    """{"address": of its page, as seen from the folder, "prompts", "verdict"}; None: there is none of more prompts.

    Args:
        results: the content of report.json.
        folder: where the report lies.
        kept: the folder of the shipped models' audits.
    """
    settings = results["settings"]
    owner, _, name = str(settings["model"]).partition("/")
    page = kept / name / "report.html"
    if owner != USUAL or not page.is_file():
        return None
    try:
        other = read_json(page.with_suffix(".json"))
        prompts, found = len(other["settings"]["prompts_used"]), str(other["verdict"])
        same = other["settings"]["revision"] == settings["revision"]
    except (ValueError, LookupError, TypeError):
        return None
    if not same or prompts <= len(settings["prompts_used"]):
        return None
    return {
        "address": Path(os.path.relpath(page, folder.resolve())).as_posix(),
        "prompts": prompts,
        "verdict": found,
    }
