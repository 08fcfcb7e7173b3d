"""How far each arm's pictures lie from the whole text's, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

Pictures = Mapping[str, Sequence[Image.Image]]


def distance(pictures: Sequence[Image.Image], others: Sequence[Image.Image]) -> float:
    """Root mean square of the differences of two lists of pictures, seed by seed, as a part of the pixels' range."""
    squares = [
        np.mean((np.asarray(a.convert("RGB"), float) - np.asarray(b.convert("RGB"), float)) ** 2) / 255**2
        for a, b in zip(pictures, others, strict=True)
    ]
    return float(np.mean(np.sqrt(squares)))


def distance_sentence(pictures: Pictures, whole: str, empty: str | None = "clean") -> str | None:
    """What the arms were found to change, against what an empty text changes where there is one.

    Args:
        pictures: {arm: one picture a seed}.
        whole: the arm that all are compared with, "full" or IDP's "donor".
        empty: the arm that draws an empty text; None: none does.

    Returns:
        None where there is nothing to compare.
    """
    if whole not in pictures:
        return None
    far = {arm: distance(own, pictures[whole]) for arm, own in pictures.items() if arm != whole}
    nothing = far.pop(empty, 0.0) if empty else 0.0
    if not far:
        return None
    seeds = len(pictures[whole])
    others = [distance(pictures[whole][:1], [other]) for other in pictures[whole][1:]]
    another = f", another seed {np.mean(others) / (nothing or 1):.0%}" if others else ""
    how = f"root mean square of pixels, {seeds} seed{'s' if seeds > 1 else ''}; `padtone audit` says how sure that is"
    shares = ", ".join(f"{arm} {value / (nothing or 1):.0%}" for arm, value in far.items())
    of = "an empty text's" if nothing else "the pixels' range"
    hint = "" if others else "; --seeds 0,1 says what another seed would change"
    return f"difference from the {whole} picture, 100% being {of}: {shares}{another} ({how}{hint})"
