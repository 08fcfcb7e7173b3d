"""What single settings may be: each function gives a value as `FouriScaleConfig` keeps it.

All raise ValueError where a value is out of range and TypeError where it is of the wrong type, with one sentence that
names the setting and says what would do.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from picturelab.bounds import BOUNDS, shown

_MOST_ENTRIES = 1000  # training sizes, patterns
_LONGEST_PATTERN = 1000  # letters
_MOST_PHASES = 10
_LARGEST_LEVEL = 9  # of a UNet's blocks; more could not be halved so often


def sizes(value: Any) -> tuple[tuple[int, int], ...]:
    """One (height, width) or many, as a tuple of pairs."""
    listed = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(listed) == 2 and all(isinstance(side, int) for side in listed):
        listed = [listed]
    side = BOUNDS["height"]
    for size in listed[:_MOST_ENTRIES]:
        pair = isinstance(size, (list, tuple)) and len(size) == 2
        if not pair or not all(map(side.holds, size)):
            raise ValueError(
                f"training_sizes={shown(value)}: must be (height, width) in pixels, or several of "
                f"them, each {side.words}"
            )
    if not listed:
        raise ValueError("training_sizes=(): give at least one (height, width) in pixels")
    if len(listed) > _MOST_ENTRIES:
        raise ValueError(f"training_sizes are {len(listed)}: there may be {_MOST_ENTRIES} at most")
    return tuple((size[0], size[1]) for size in listed)


def phases(value: Any) -> tuple[tuple[float, float], ...] | None:
    """Parts of a run on the deep grid, as pairs of numbers."""
    if value is None:
        return None
    wrong = (
        f"grid_phases={shown(value)}: must be pairs such as [[0.5, 1], [0.8, 2]], the fraction of the run in (0, 1] "
        f"until which and how many times the training size, from 0.1 to 100, both rising, {_MOST_PHASES} at most"
    )
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= _MOST_PHASES:
        raise ValueError(wrong)
    if not all(map(_is_phase, value)):
        raise ValueError(wrong)
    if any(a[0] >= b[0] or a[1] >= b[1] for a, b in itertools.pairwise(value)):
        raise ValueError(wrong)
    return tuple((float(until), float(times)) for until, times in value)


def _is_phase(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    until, times = value
    return 0 < until <= 1 and 0.1 <= times <= 100


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def level(value: Any) -> int | None:
    """Where the deep grid begins."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"grid_level={shown(value)}: must be a whole number")
    if not 1 <= value <= _LARGEST_LEVEL:
        raise ValueError(f"grid_level={shown(value)}: must be from 1 to {_LARGEST_LEVEL}")
    return value


def check_wrap(values: Mapping[str, Any]) -> None:
    """Refuse a wrapped picture whose self-attention is split into grids, which do not go round evenly."""
    for name in ("attention", "late_attention"):
        if values["wrap"] != "none" and values[name] == "polyphase":
            raise ValueError(
                f"{name}='polyphase' with wrap={shown(values['wrap'])}: its interleaved grids do not go round where "
                "their number does not divide the side; take 'downsampled keys' or 'full'"
            )


def patterns(name: str, value: Any) -> tuple[str, ...]:
    """A list of patterns on modules' names."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(pattern, str) for pattern in value):
        raise TypeError(f"{name}={shown(value)}: must be a list of patterns such as 'mid_block.resnets.*'")
    if len(value) > _MOST_ENTRIES or any(len(pattern) > _LONGEST_PATTERN for pattern in value):
        raise ValueError(
            f"{name}={shown(value)}: there may be {_MOST_ENTRIES} patterns at most, each of "
            f"{_LONGEST_PATTERN} letters at most"
        )
    return tuple(value)


def number(name: str, value: Any, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    if not _is_number(value):
        raise TypeError(f"{name}={shown(value)}: must be a number")
    if not low <= value <= high:
        raise ValueError(f"{name}={shown(value)}: must be from {low:g} to {high:g}")
    return float(value)
