"""What a prompt's trimmed text saves: the denoiser's calls timed at the lengths that trimming may give it."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from picturelab.pipeline import Pipeline

from ..families.registry import denoiser_of, family_of
from ..hooks.timing import timed_calls
from ..maths.roles import TokenRoles, shared_rows
from .ite import generators
from .masking import mask_padding, trim_padding

MULTIPLES = (8, 64, 128)  # of rows of text, at which kernels may be faster than at fewer
_STEPS = 2  # of a run that is timed


class Quartiles(NamedTuple):
    """A median between the quartiles."""

    median: float
    low: float
    high: float


@dataclass
class TimedLength:
    """The denoiser's calls with one treatment of the padding.

    Attributes:
        treatment: "keep" (padding as it is), "mask" or "trim".
        tokens_kept: padding tokens that stay in each encoder's rows; None: all.
        rows: of text that the denoiser reads of this prompt.
        seconds: of each call.
        calls: of the denoiser in a step; guidance may take two.
    """

    treatment: str
    tokens_kept: int | None
    rows: int
    seconds: list[float] = field(default_factory=list)
    calls: int = 1

    @property
    def median(self) -> float:
        """Seconds of a call."""
        return statistics.median(self.seconds)

    def speedup(self, whole: TimedLength) -> Quartiles:
        """How many times as fast as another length, call by call."""
        low, median, high = np.quantile(np.array(whole.seconds) / np.array(self.seconds), [0.25, 0.5, 0.75])
        return Quartiles(float(median), float(low), float(high))

    def block(self, pipe: Pipeline) -> AbstractContextManager[None]:
        if self.treatment == "keep" or self.tokens_kept is None:
            return nullcontext()
        act: Callable[..., AbstractContextManager[None]] = {"mask": mask_padding, "trim": trim_padding}[
            self.treatment
        ]
        return act(pipe, keep=self.tokens_kept)


def trimmed_rows(entries: Sequence[TokenRoles], tokens_kept: int) -> int:
    """Rows of text that are left of a prompt when each encoder keeps so many padding tokens."""
    rows = 0
    for stretch in shared_rows(entries):
        padding = len(stretch.at("padding"))
        rows += len(stretch.rows) - max(0, padding - tokens_kept)
    return rows


def candidates(entries: Sequence[TokenRoles], tokens_kept: int, masked: bool) -> list[TimedLength]:
    """The whole text, the same masked, the shortest that may be, and the rounder ones above it.

    Args:
        entries: the prompt's roles.
        tokens_kept: the fewest padding tokens that may stay.
        masked: the denoiser masks its padding by itself.
    """
    whole = sum(len(stretch.rows) for stretch in shared_rows(entries))
    shortest = trimmed_rows(entries, tokens_kept)
    found = [TimedLength("keep", None, whole)]
    if shortest < whole:
        found += [] if masked else [TimedLength("mask", tokens_kept, whole)]
        found.append(TimedLength("trim", tokens_kept, shortest))
        for multiple in MULTIPLES:
            larger = tokens_kept + -shortest % multiple
            rows = trimmed_rows(entries, larger)
            if rows < whole and all(one.rows != rows for one in found):
                found.append(TimedLength("trim", larger, rows))
    return found


def time_lengths(
    pipe: Pipeline,
    prompt: str,
    lengths: Sequence[TimedLength],
    seconds: float,
    call: dict[str, Any],
    most: int | None = None,
) -> int:
    """Time the denoiser's calls of short runs, one length after the other and round after round.

    Each length is run once before the first round, for what happens once. There is one round at least, however long it
    takes.

    Args:
        seconds: no round begins later than this.
        call: the pipeline's further arguments; the number of steps is this function's.
        most: rounds; None: as many as there is time for.

    Returns:
        How many rounds there were.

    Raises:
        ValueError: see `padtone.trim_padding`.
    """
    denoiser, rounds, end = denoiser_of(pipe, family_of(pipe)), 0, time.perf_counter() + seconds
    short = {name: value for name, value in call.items() if name not in ("sigmas", "timesteps")}
    takes = inspect.signature(type(pipe).__call__).parameters
    short |= {n: v for n, v in {"num_inference_steps": _STEPS, "output_type": "latent"}.items() if n in takes}
    while not rounds or (time.perf_counter() < end and rounds != most):
        for length in lengths:
            with length.block(pipe):
                if not rounds:
                    pipe(prompt=prompt, generator=generators(0, 1), **short)
                with timed_calls(denoiser) as times:
                    pipe(prompt=prompt, generator=generators(0, 1), **short)
            length.seconds.extend(times)
            length.calls = max(1, len(times) // _STEPS)
        rounds += 1
    return rounds


def fastest(lengths: Sequence[TimedLength]) -> TimedLength | None:
    """Of those that are trimmed, the one whose calls take least by the median; None: none is."""
    trimmed = [length for length in lengths if length.treatment == "trim"]
    return min(trimmed, key=lambda length: length.median, default=None)
