"""An audit from beginning to end: pictures, figures, report.json and report.html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from picturelab.files import write_whole
from picturelab.pipeline import Pipeline
from picturelab.runs.folder import OnProgress
from picturelab.worlds import split

from ..audit.clip import Clip
from ..audit.prompts import Judge
from ..audit.results import results
from ..audit.run import Audit
from ..audit.scores import score
from ..audit.settings import AuditSettings
from ..audit.studies import Study, beside_paper
from ..reports.page import write_report

_HUB_CLIP = "openai/clip-vit-base-patch32"
_SHIPPED_BATCH, _BATCH = 16, 4


def usual_clip(model: str) -> str:
    """The CLIP that looks where none is named: a world's own, for its pictures mean nothing to another."""
    return f"{model.partition('/')[0]}/clip" if split(model) else _HUB_CLIP


def usual_batch(model: str) -> int:
    """Most pictures in one call of the pipeline where no number is named: shipped models are small."""
    return _SHIPPED_BATCH if split(model) else _BATCH


def carry_out(
    pipe: Pipeline,
    settings: AuditSettings,
    folder: Path,
    *,
    judge: Judge | None = None,
    study: Study | None = None,
    progress: OnProgress | None = None,
) -> tuple[dict[str, Any], Path]:
    """Run an audit, or go on with the one that the folder holds.

    Args:
        judge: see `Audit`.
        study: whose paper's figures are set beside ours.

    Returns:
        The content of report.json, and where report.html is.

    Raises:
        ValueError: see `Audit` and `Clip.load`.
    """
    clip = Clip.load(settings.clip, pipe._execution_device)  # before hours of work, not after
    audit = Audit(pipe, settings, folder, judge)  # reads the prompts and makes the plan
    audit.paint(progress)
    scores = score(audit.pictures, clip, progress)
    content = results(audit.pictures, scores)
    content["study"] = beside_paper(study, content) if study else None
    write_whole(folder / "report.json", json.dumps(content, indent=1))
    return content, write_report(content, folder)
