"""How large a number and how long a prompt may be, in every way in: commands, jobs, recipes, the page. Pure."""

from __future__ import annotations

import contextlib
import functools
import math
import reprlib
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


@dataclass(frozen=True)
class Bound:
    """The least and the most that a number may be, both included."""

    least: float
    most: float
    whole: bool = True

    def holds(self, value: Any) -> bool:
        """Whether a value is such a number; bools and text are none."""
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return bool(self.least <= value <= self.most)

    @property
    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {_plain(self.least)} to {_plain(self.most)}"


BOUNDS = {
    "steps": Bound(1, 1000),  # as many as the models were trained with; schedulers have no more
    "height": Bound(8, 32_768),
    "width": Bound(8, 32_768),
    "seed": Bound(0, 2**63 - 1),  # torch's generators
    "seeds": Bound(1, 10_000),  # how many of them in one request; a batch has no such bound
    "batch": Bound(1, 1024),
    "threads": Bound(1, 1024),
    "workers": Bound(1, 1024),
    "guidance": Bound(0, 1000, whole=False),
    "scale": Bound(-100, 100, whole=False),  # of a LoRA or ControlNet
    "times": Bound(0.01, 100, whole=False),  # the training size
    "tokens": Bound(1, 32_768),  # of a prompt, padding included
    "layer": Bound(0, 10_000),
    "layers": Bound(1, 10_000),  # how many of them
    "pictures": Bound(1, 4096),  # of one grid
    "argument": Bound(-100_000, 100_000, whole=False),  # any other of a pipeline's call
    "quality": Bound(1, 100),  # of a WebP or JPEG
    "port": Bound(1, 65_535),
    "pixels": Bound(64, 32_768**2),  # of a picture
    "waiting": Bound(1, 10_000),  # jobs
    "megabytes": Bound(1, 10**9),
    "gibibytes": Bound(0.1, 10_000, whole=False),  # of a card
    "kept": Bound(0, 32_768),  # padding tokens that stay
    "seconds": Bound(0, 86_400, whole=False),  # of measuring
    "prompts": Bound(1, 10_000),  # of one audit or validation
}
NAME_LETTERS = 4096  # as long as Linux lets a path be
PROMPT_LETTERS = 10_000  # far beyond what any text encoder reads


class _Repr(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python refuses to print very long numbers
            return f"a number of {x.bit_length():,} bits"


_REPR = _Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxlong, _REPR.maxother = 3, 200, 200, 200
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = _REPR.maxset = 8


def shown(value: Any) -> str:
    """A value as code, for a message, of 80 letters at most; quick for values of any size and depth."""
    text = _REPR.repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def check(name: str, value: Any, bound: str | None = None) -> Any:
    """The value, if it lies within its bound.

    Args:
        name: what the value is called in the message.
        value: whole numbers are ints; bools and strings are refused.
        bound: its key in `BOUNDS`; None takes `name`.

    Raises:
        ValueError: it is no such number, or lies outside.
    """
    limit = BOUNDS[bound or name]
    if not limit.holds(value):
        raise ValueError(f"{name}={shown(value)}: must be {limit.words}")
    return value


def check_prompt(name: str, value: Any) -> Any:
    """The prompt, if it is text and short enough.

    Raises:
        ValueError: it is no text, or has more letters than `PROMPT_LETTERS`.
    """
    if not isinstance(value, str):
        raise ValueError(f"{name}={shown(value)}: must be text")
    if len(value) > PROMPT_LETTERS:
        raise ValueError(f"{name} has {len(value):,} letters: must be at most {PROMPT_LETTERS:,}")
    return value


def _typed(name: str) -> BeforeValidator:
    """For a pydantic field: numbers written as text, as CSV has them, are taken for numbers first."""
    return BeforeValidator(functools.partial(_from_text, name))


def _from_text(name: str, value: Any) -> Any:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # `check` says what it must be
            value = int(value) if BOUNDS[name].whole else float(value)
    elif isinstance(value, float) and BOUNDS[name].whole and value.is_integer():
        value = int(value)  # spreadsheets and JSON of other programs write 4.0
    return check(name, value)


# The types of pydantic fields.
Steps = Annotated[int, _typed("steps")]
Height = Annotated[int, _typed("height")]
Width = Annotated[int, _typed("width")]
Seed = Annotated[int, _typed("seed")]
Batch = Annotated[int, _typed("batch")]
Quality = Annotated[int, _typed("quality")]
Threads = Annotated[int, _typed("threads")]
Guidance = Annotated[float, _typed("guidance")]
Scale = Annotated[float, _typed("scale")]
Name = Annotated[str, Field(max_length=NAME_LETTERS)]  # of a file, a model, a device
Prompt = Annotated[str, BeforeValidator(functools.partial(check_prompt, "prompt"))]


def _plain(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) and not math.isinf(value) else f"{value}"
