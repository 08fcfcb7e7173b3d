"""FouriScale for diffusers: sample a pretrained UNet or transformer beyond its training size, without training.

Source: Huang et al., "FouriScale: A Frequency Perspective on Training-Free High-Resolution Image
Synthesis", ECCV 2024, arXiv 2403.12963.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from picturelab.lazy import attach

if TYPE_CHECKING:
    from .config import FouriScaleConfig
    from .hooks.patch import apply_fouriscale, fouriscale, remove_fouriscale
    from .hooks.wrap import apply_wrap, remove_wrap, wrap
    from .position_config import PositionConfig
    from .presets import preset_names
    from .sampling.conditioning import size_conditioning
    from .sampling.generate import cascade
    from .sampling.recipe import save

__version__ = version("fouriscale-padtone")
__all__ = [
    "FouriScaleConfig",
    "PositionConfig",
    "apply_fouriscale",
    "apply_wrap",
    "cascade",
    "fouriscale",
    "preset_names",
    "remove_fouriscale",
    "remove_wrap",
    "save",
    "size_conditioning",
    "wrap",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "FouriScaleConfig": "config",
        "PositionConfig": "position_config",
        "apply_fouriscale": "hooks.patch",
        "apply_wrap": "hooks.wrap",
        "cascade": "sampling.generate",
        "fouriscale": "hooks.patch",
        "preset_names": "presets",
        "remove_fouriscale": "hooks.patch",
        "remove_wrap": "hooks.wrap",
        "save": "sampling.recipe",
        "size_conditioning": "sampling.conditioning",
        "wrap": "hooks.wrap",
    },
)
