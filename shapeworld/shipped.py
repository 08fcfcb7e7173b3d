"""Which models are shipped, and where they lie. Needs no torch, so that a wrong name is refused at once."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"
NAMES = ("unet", "unet-frozen", "joint", "joint-masked", "joint-registers")


def models_in(folder: Path) -> list[str]:
    """The names of those models that a folder of weights holds."""
    return [name for name in NAMES if (folder / name / "model_index.json").is_file()]
