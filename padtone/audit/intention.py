"""What an audit is about to make, in a sentence."""

from __future__ import annotations

from pathlib import Path

from ..maths.verdict import FEWEST_PROMPTS
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
    pictures = sum(piece.pictures for piece in pieces_of(plan, settings))
    arms = pictures // (len(plan.used) * settings.seeds)
    call = settings.call
    size = f" of {call['width']}x{call['height']}" if call.get("width") and call.get("height") else ""
    how = [words.format(call[name]) for name, words in _CALL.items() if call.get(name) is not None]
    few = (
        f"; no verdict can come of fewer than {FEWEST_PROMPTS} prompts"
        if len(plan.used) < FEWEST_PROMPTS
        else ""
    )
    return (
        f"{len(plan.used)} prompts, {settings.seeds} seeds, {arms} arms: {pictures} pictures{size} "
        f"({', '.join([*how, settings.precision])}), into {folder}{few}"
    )
