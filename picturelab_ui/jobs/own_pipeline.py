"""A pipeline for one job: it shares all weights with a loaded one, and nothing that a run changes."""

from __future__ import annotations

import copy
from typing import Any

import torch


def own_pipeline(pipe: Any) -> Any:
    """The same pipeline with modules and a scheduler of its own, whose weights are the other's tensors.

    What is attached to a module (FouriScale, Padding Tone, wrapping, LoRAs) and what is set on it (tiling) holds for
    this pipeline alone, so that jobs on one model need know nothing of each other between their steps.

    Args:
        pipe: with nothing attached, and never run itself.
    """
    parts = {name: part for name, part in pipe.components.items() if _is_changed_by_runs(part)}
    modules = [part for part in parts.values() if isinstance(part, torch.nn.Module)]
    tensors = [tensor for module in modules for tensor in (*module.parameters(), *module.buffers())]
    own = copy.copy(pipe)
    for name, part in copy.deepcopy(parts, {id(tensor): tensor for tensor in tensors}).items():
        setattr(own, name, part)
    return own


def wait_for_device() -> None:
    """Until a GPU has done what it was given: a turn ends with its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _is_changed_by_runs(part: Any) -> bool:
    return isinstance(part, torch.nn.Module) or hasattr(part, "set_timesteps")
