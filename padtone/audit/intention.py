"""What an audit is about to make, in a sentence."""

from __future__ import annotations

from pathlib import Path

from .plan import AuditPlan, pieces_of
from .settings import AuditSettings

_CALL = {  # of the pipeline's arguments, those that decide how long it takes and what is shown
    "num_inference_steps": "{} steps",
    "guidance_scale": "guidance {}",
    "true_cfg_scale": "true guidance {}",
    "max_sequence_length": "texts of {} tokens",
}


def intention(plan: AuditPlan, settings: AuditSettings, folder: Path) -> str:
    """What will be made: prompts, seeds, arms, pictures, and what each is sampled with."""
    works = [piece.work for piece in pieces_of(plan, settings) if piece.work]
    pictures = sum(len(work.arms) * len(work.seeds) for work in works)
    arms = pictures // (len(plan.used) * settings.seeds)
    call = settings.call
    size = f" of {call['width']}x{call['height']}" if call.get("width") and call.get("height") else ""
    how = [words.format(call[name]) for name, words in _CALL.items() if call.get(name) is not None]
    return (
        f"{len(plan.used)} prompts, {settings.seeds} seeds, {arms} arms: {pictures} pictures{size} "
        f"({', '.join([*how, settings.precision])}), into {folder}"
    )
