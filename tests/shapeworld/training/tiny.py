"""Trainings of the true architectures, of a few pictures each."""

from pathlib import Path
from typing import Any

import torch
import yaml

from shapeworld.training.command import main

TINY = {
    "name": "unet",
    "autoencoder": {"images": 6, "batch": 2},
    "stages": [
        {"pixels": 32, "scenes": 6, "images": 4, "batch": 2},
        {"pixels": 64, "scenes": 4, "images": 4, "batch": 2},
    ],
}
STAGE = TINY["stages"][0]
CLIP = {"name": "clip", "model": "clip", "contrast": {"images": 12, "batch": 6}}
NAMES = ["autoencoder", "stage1-32px", "stage2-64px"]


def train(folder: Path, settings: dict[str, Any], init_from: Path | None = None, **switches: Any) -> Path:
    """Train in `folder`; gives the weights' folder."""
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(settings))
    switches = {"workers": 0} | switches  # starting a worker takes seconds
    main(file, run_folder=folder / "run", out=folder / "weights", init_from=init_from, **switches)
    return folder / "weights"


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "run" / "checkpoint.pt", weights_only=True)
