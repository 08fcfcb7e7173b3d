"""How much of one prompt's padding is needed: likeness and time against the padding tokens kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from padtone.audit.arms import Work, keep_arm, read_prompt
from padtone.audit.clip import Clip
from padtone.audit.painter import Painter
from padtone.maths.metrics import cosine
from picturelab.runs.folder import OnProgress


@dataclass(frozen=True)
class Curve:
    """One prompt's curve.

    Attributes:
        keeps: padding tokens kept; None, the last, is all of them.
        padding: how many there are.
        images: one row a `keeps`, one picture a seed.
        likeness: the same of CLIP similarities to the full picture of the same seed, in [-1, 1].
        seconds: of a picture, one a `keeps`.
        noise: likeness of two seeds' full pictures, the mean over neighbours: what is no more than chance.
    """

    keeps: tuple[int | None, ...]
    padding: int
    images: tuple[tuple[Image.Image, ...], ...]
    likeness: tuple[tuple[float, ...], ...]
    seconds: tuple[float, ...]
    noise: float

    def rows(self) -> list[dict[str, Any]]:
        """For `charts.keep_chart`; an interval goes from the least to the greatest of the seeds."""
        return [
            {"k": k, "to_full": {"mean": sum(v) / len(v), "low": min(v), "high": max(v)}, "seconds": seconds}
            for k, v, seconds in zip(self.keeps, self.likeness, self.seconds, strict=True)
        ]


def keep_curve(
    pipe: Any, call: dict[str, Any], clip: Clip, prompt: str, seeds: Sequence[int], on_progress: OnProgress
) -> Curve:
    """Make a prompt's pictures with 0, 1, 2, 4 ... padding tokens kept, and with all.

    Args:
        call: arguments for the pipeline's call.
        seeds: two or more: their difference is the yardstick.

    Raises:
        ValueError: fewer than two seeds, or a prompt that leaves no padding.
    """
    if len(seeds) < 2:
        raise ValueError(
            f"seeds is {list(seeds)}; 2 or more are needed, for their difference is the yardstick"
        )
    padding = read_prompt(pipe, prompt, call).longest
    if padding == 0:
        raise ValueError(f"the prompt {prompt!r} leaves no padding, so none can be dropped")
    powers = [0, *(2**n for n in range(padding.bit_length()))]
    keeps = (*(k for k in powers if k < padding), None)
    painter = Painter(pipe, call, batch=len(seeds))
    images, seconds = [], []
    # The first is made twice: it also pays for what happens once.
    for done, k in enumerate((keeps[0], *keeps)):
        on_progress("pictures", done, len(keeps) + 1)
        arm = keep_arm(k)
        painted = painter.make(Work("plain", prompt, tuple(seeds), (arm,)))
        if painted.seconds is None:
            raise ValueError(f"{prompt!r} has no pictures with {arm}: {painted.left_out[arm]}")
        if done:
            images.append(tuple(painted.pictures[arm, seed] for seed in seeds))
            seconds.append(painted.seconds)
    embeds = [clip.pictures(row).embeds for row in images]
    likeness = tuple(tuple(cosine(own, embeds[-1]).tolist()) for own in embeds)
    noise = float(cosine(embeds[-1][1:], embeds[-1][:-1]).mean())
    return Curve(keeps, padding, tuple(images), likeness, tuple(seconds), noise)
