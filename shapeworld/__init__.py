"""A small world of captioned shapes with exact ground truth, and the text-to-image models trained on it.

What needs torch is imported when first asked for.
"""

from typing import TYPE_CHECKING, Any

from .judge.checker import Report
from .judge.wrapped import check
from .scenes import Object, Scene, sample_scenes

if TYPE_CHECKING:
    from .models import SAMPLING, WEIGHTS, load_clip, load_pipeline, model_names

__all__ = [
    "SAMPLING",
    "WEIGHTS",
    "Object",
    "Report",
    "Scene",
    "check",
    "load_clip",
    "load_pipeline",
    "model_names",
    "sample_scenes",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import models

    return getattr(models, name)
