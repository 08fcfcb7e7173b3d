"""How many pictures to make at once, from what their steps take here: the choice, and its words."""

from __future__ import annotations

from picturelab.amounts import gibibytes

from .card import Parts
from .measure import BatchTimes

PICTURES = (1, 2, 4, 8)  # that are tried at once
_NEAR = 1.1  # what is no more than a tenth faster is not worth the memory
ROLLING = 1.3  # from 1 picture to 4: below it, joining runs of unequal length could not pay either


def fitting(parts: Parts, memory: float) -> tuple[int, ...]:
    """Which of `PICTURES` a UNet and its maps leave room for, in bytes.

    Raises:
        ValueError: not even one.
    """
    there = tuple(count for count in PICTURES if parts.unet + count * parts.sampling <= memory)
    if not there:
        need = parts.unet + parts.sampling
        raise ValueError(
            f"--batch needs {gibibytes(need)} for the UNet and its maps, and here are {gibibytes(memory)}: "
            "leave it out, or measure a smaller size"
        )
    return there


def choice(times: BatchTimes) -> int:
    """The fewest pictures at once that take each no more than a tenth longer than at the best."""
    best = min(map(times.of_a_picture, times.seconds))
    return next(count for count in times.seconds if times.of_a_picture(count) <= _NEAR * best)


def gain(times: BatchTimes, pictures: int) -> float:
    """How many times as fast a picture is as one at a time."""
    return times.of_a_picture(1) / times.of_a_picture(pictures)


def batch_sentence(times: BatchTimes) -> str:
    """What `--batch` of the command `batch` should be."""
    rows = ", ".join(f"{count}: {1000 * times.of_a_picture(count):.3g}" for count in times.seconds)
    chosen = choice(times)
    why = f"each is {gain(times, chosen):.2f} times as fast as alone" if chosen > 1 else "more gain nothing"
    left_out = "" if len(times.seconds) == len(PICTURES) else "; more do not fit into memory"
    return (
        f"batch: ms of a step for each of so many pictures at once: {rows}{left_out}; measured on {times.device}; "
        f"choose --batch {chosen} ({why})"
    )
