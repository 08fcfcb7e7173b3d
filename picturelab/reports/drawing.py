"""Drawings: as SVG in data addresses, so that a page that holds them needs no other file, and as pictures."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from .pages import data_address

INK, SOFT, LINE, NOISE = "#1f2933", "#7b8794", "#2563a8", "#d9822b"
STYLE: Any = {
    "font.size": 10,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "padtone",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": SOFT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def styled() -> Any:
    """A `with` block in which figures take our style."""
    return mpl.rc_context(STYLE)


def svg(figure: Figure) -> str:
    """A figure as a data address; the same figure gives the same one."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=150)
    return data_address("image/svg+xml", buffer.getvalue())


def picture(figure: Figure) -> Image.Image:
    """A figure as a picture of 110 pixels an inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return Image.open(buffer).convert("RGB")


def plain_letters(text: str, most: int) -> str:
    """A stranger's text as a figure can show it: its font's letters, no formulas between dollars, so many at most."""
    text = text if len(text) <= most else f"{text[: most - 3]}..."
    return text.encode("ascii", "replace").decode().replace("$", r"\$")
