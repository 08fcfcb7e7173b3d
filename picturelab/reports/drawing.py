"""Drawings as SVG in data addresses: a page that holds them needs no other file."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

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
