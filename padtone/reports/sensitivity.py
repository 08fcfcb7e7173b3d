"""What the words of a prompt change, in one picture: growth with their number, and each word beside each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from picturelab.reports.drawing import SOFT, picture, plain_letters, styled

from ..maths.sensitivity import EARLIER, LATER, POOLED, WORD, RowChanges, Sensitivity

_COLOURS = {
    WORD: "#2f8f46",
    LATER: "#2563a8",
    EARLIER: "#8a5fbf",
    "bos": "#7b8794",
    "eos": "#d9822b",
    "template": "#b0579b",
    "padding": "#1f2933",
    POOLED: "#c23b3b",
}
_COLOUR_MAP = "viridis"


def sensitivity_chart(result: Sensitivity) -> Image.Image:
    """One strip an encoder: change against the number of words replaced, and a map of words by rows.

    The pooled vectors' change stands beside both.
    """
    texts = [text for text in result.texts if not text.pooled] or list(result.texts)
    pooled = [text for text in result.texts if text.pooled and text not in texts]
    height = 0.9 + len(texts) * max(2.6, 0.8 + 0.28 * len(result.words))
    top = max(1.0, *(float(np.nanmax(text.carry.numpy(), initial=0.0)) for text in result.texts))
    with styled():
        figure = Figure(figsize=(12.0, height), layout="constrained")
        figure.suptitle(plain_letters(result.prompt, 110), fontsize=10)
        axes = figure.subplots(
            len(texts), 2 + len(pooled), squeeze=False, width_ratios=[3, 6, *[0.35] * len(pooled)]
        )
        for (curve, words, *beside), text in zip(axes, texts, strict=True):
            _draw_curves(curve, result, [text, *pooled])
            mesh = _draw_map(words, result, text, top)
            for axis, vector in zip(beside, pooled, strict=True):
                _draw_pooled(axis, vector, top)
        figure.colorbar(mesh, ax=axes[:, 1:], label="change; 1: as another prompt")
        return picture(figure)


def _draw_curves(axis: Any, result: Sensitivity, texts: list[RowChanges]) -> None:
    for text in texts:
        for part, changes in text.changes.items():
            values = [np.nan if change is None else change for change in changes]
            axis.plot(result.counts, values, color=_COLOURS[part], marker="o", markersize=3, label=part)
    axis.axhline(1, color=SOFT, linestyle="--", linewidth=1)
    axis.set(title=texts[0].name, xlabel="words replaced", ylabel="change; 1: as another prompt")
    axis.set_xticks(result.counts)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7, frameon=False)


def _draw_map(axis: Any, result: Sensitivity, text: RowChanges, top: float) -> Any:
    words, rows = text.carry.shape
    mesh = axis.pcolormesh(
        np.arange(rows + 1) - 0.5,
        np.arange(words + 1) - 0.5,
        text.carry.numpy(),
        cmap=_COLOUR_MAP,
        vmin=0,
        vmax=top,
    )
    axis.invert_yaxis()
    axis.set(title=f"{text.name}: the word replaced, and each row's change", xlabel="row")
    axis.set_yticks(range(words), [plain_letters(word, 16) for word in result.words])
    axis.locator_params(axis="x", integer=True)
    return mesh


def _draw_pooled(axis: Any, text: RowChanges, top: float) -> None:
    axis.pcolormesh(
        [-0.5, 0.5],
        np.arange(len(text.carry) + 1) - 0.5,
        text.carry.numpy(),
        cmap=_COLOUR_MAP,
        vmin=0,
        vmax=top,
    )
    axis.invert_yaxis()
    axis.set_title("pooled", fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
