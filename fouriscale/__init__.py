"""FouriScale for diffusers: sample a pretrained UNet beyond its training size, without training.

Source: Huang et al., "FouriScale: A Frequency Perspective on Training-Free High-Resolution Image
Synthesis", ECCV 2024, arXiv 2403.12963.
"""

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import FouriScaleConfig, preset_names, size_conditioning
    from .hooks.patch import apply_fouriscale, fouriscale, remove_fouriscale
    from .sampling.recipe import save

__version__ = version("fouriscale-padtone")
__all__ = [
    "FouriScaleConfig",
    "apply_fouriscale",
    "fouriscale",
    "preset_names",
    "remove_fouriscale",
    "save",
    "size_conditioning",
]

_HOMES = {
    "FouriScaleConfig": "config",
    "apply_fouriscale": "hooks.patch",
    "fouriscale": "hooks.patch",
    "preset_names": "config",
    "remove_fouriscale": "hooks.patch",
    "save": "sampling.recipe",
    "size_conditioning": "config",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: `fouriscale --help` needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
