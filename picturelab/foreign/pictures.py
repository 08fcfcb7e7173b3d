"""Which other program's picture it is, and what it says."""

from __future__ import annotations

from pathlib import Path

from ..embedded import PARAMETERS, EmbeddedTexts
from ..failures import told_as
from . import a1111, comfyui
from .settings import ForeignSettings


def foreign_settings(path: str | Path, carried: EmbeddedTexts) -> ForeignSettings | None:
    """What a picture of A1111 or ComfyUI says of how it was made; None: it carries nothing of theirs.

    The size of the file stands among what it says besides: pictures are enlarged and cut after sampling.

    Raises:
        ValueError: what it carries cannot be read.
    """
    texts = carried.texts
    with told_as(f"{path} carries settings that cannot be read", ValueError):
        if texts.get(PARAMETERS):
            found = a1111.read(texts[PARAMETERS])
        elif texts.get("prompt") or texts.get("workflow"):
            found = comfyui.read(texts.get("prompt"), texts.get("workflow"))
        else:
            return None
    found.add_other("the file's size", f"{carried.width}x{carried.height}")
    return found
