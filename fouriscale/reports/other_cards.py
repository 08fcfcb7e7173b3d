"""How long a run takes on cards that were not measured, by what their makers say they can do."""

from __future__ import annotations

from picturelab.amounts import duration

# Operations a second of dense half precision on tensor cores with sums in float32: NVIDIA's, or cores times clock.
H100 = 989e12
CARDS = {"an RTX 4090": 165e12, "an RTX 3090": 71e12, "an RTX 4070": 58e12, "an RTX 3060": 25.6e12}


def elsewhere_sentence(seconds: float) -> str:
    """Of a run that takes so many seconds on an H100, in proportion to the cards' peaks.

    SDXL's steps took 36% and 41% of the H100's peak (`benchmarks/results/h100.md`); what share smaller cards reach was
    not measured.
    """
    said = ", ".join(f"{duration(seconds * H100 / peak)} on {card}" for card, peak in CARDS.items())
    return f"elsewhere: about {said}; by their peaks beside that card's, not measured"
