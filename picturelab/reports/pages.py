"""Pages of one file, which need no other: templates, and pictures inside them."""

from __future__ import annotations

import base64
import io

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image


def environment(package: str) -> Environment:
    """The templates of a package, and those that all share, such as style.css."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("picturelab.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["percent"] = lambda share: f"{100 * share:.0f}%"
    templates.filters["number"] = _number
    return templates


def thumbnail(image: Image.Image, side: int) -> str:
    """A picture as a data address, at most `side` pixels long; small ones keep their size."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=88)
    return data_address("image/webp", buffer.getvalue())


def data_address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _number(value: float) -> str:
    """Three decimals; one more where three would show little but zeros."""
    return f"{value:.4f}" if 0 < abs(value) < 0.01 else f"{value:.3f}"
