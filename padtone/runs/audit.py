"""An audit from beginning to end: pictures, figures, report.json and report.html."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.pipeline import Pipeline
from picturelab.recipes import encoded
from picturelab.remarks import remark
from picturelab.runs.folder import OnProgress
from picturelab.textfiles import read_json
from picturelab.worlds import split

from ..audit.clip import Clip
from ..audit.more_prompts import more_steps
from ..audit.prompts import Judge
from ..audit.results import results
from ..audit.run import Audit
from ..audit.scores import score
from ..audit.settings import AuditSettings
from ..audit.studies import Study, beside_paper
from ..audit.token_places import token_places
from ..recipe import RECIPE
from ..reports.glance import glance
from ..reports.page import GLANCE, write_report
from .request import call_arguments

_HUB_CLIP = "openai/clip-vit-base-patch32"
_PACKAGES = ("numpy", "pillow", "scipy", "torch", "torchmetrics", "transformers")  # that figures depend on
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
    clip: Clip | None = None,
    judge: Judge | None = None,
    study: Study | None = None,
    progress: OnProgress | None = None,
    announce: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], Path]:
    """Run an audit, or go on with the one that the folder holds.

    Args:
        clip: that of the settings, where it is loaded already.
        judge: see `Audit`.
        study: whose paper's figures are set beside ours.
        announce: told what will be made, in a sentence, before it is.

    Returns:
        The content of report.json, and where report.html is.

    Raises:
        ValueError: see `Audit` and `Clip.load`; or the report cannot be written.
    """
    clip = clip or Clip.load(settings.clip, pipe._execution_device)  # before hours of work, not after
    audit = Audit(pipe, settings, folder, judge)  # reads the prompts and makes the plan
    audit.paint(progress, announce)
    content = results(audit.pictures, score(audit.pictures, clip, progress))
    steps, usual = (
        call.get("num_inference_steps") for call in (settings.call, call_arguments(pipe, settings.model))
    )
    content["more_prompts"]["sentence"] = more_steps(content["more_prompts"], steps, usual)
    smallest = content["keep_k"]["smallest"]
    content["keep_k"]["timed"] = None if smallest is None else audit.timed_lengths(smallest).model_dump()
    used = [settings.prompts[i] for i in content["settings"]["prompts_used"]]
    content["tokens"] = token_places(pipe, used, settings.call)
    content["study"] = beside_paper(study, content) if study else None
    content["looked_with"] = {
        "clip": settings.clip,
        "weights": clip.fingerprint(),
        "judge": judge is not None,
        "study": study.model_dump() if study else None,
        "versions": {name: version(name) for name in _PACKAGES},
    }
    with told_as(f"{folder} cannot be written", OSError):
        write_whole(
            folder / GLANCE, encoded(glance(content, audit.run_folder, judge), None, RECIPE), sync=True
        )
    report = folder / "report.json"
    _say_what_changed(report, content)
    with told_as(f"{report} cannot be written", OSError):
        write_whole(report, json.dumps(content, indent=1, allow_nan=False), sync=True)
    return content, write_report(content, folder)


def _say_what_changed(report: Path, content: Mapping[str, Any]) -> None:
    """The same pictures, looked at with something else than last time: figures may differ, so say so."""
    try:
        before = read_json(report)["looked_with"]
        changed = [name for name, now in content["looked_with"].items() if before[name] != now]
    except (ValueError, LookupError, TypeError):
        return  # there is no report, an old one, or a damaged one, which is written anew
    if changed:
        remark(
            f"{report.parent} was looked at before with another {', '.join(changed)}: its report is written anew"
        )
