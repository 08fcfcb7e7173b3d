"""Where and with what something is measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from picturelab.bounds import shown
from picturelab.models import choose_device


def about(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Where and with what a section was measured."""
    return {
        "device": device_name(device),
        "dtype": str(dtype).removeprefix("torch."),
        "date": date.today().isoformat(),
        "commit": _commit(),
        **{name: metadata.version(name) for name in ("torch", "diffusers")},
    }


def chosen_device(name: str) -> torch.device:
    """The device of this name, for a clock.

    Raises:
        ValueError: it is not here, or is neither a CPU nor an NVIDIA GPU.
    """
    device = choose_device(name)
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"--device {shown(name)}: this benchmark times cpu and cuda")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # events are recorded on the current one
    return device


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def _commit() -> str | None:
    """Of the checkout, with a plus sign where files differ from it; None where there is no git."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
