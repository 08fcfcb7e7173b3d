"""Settings and recipes that check themselves, and one sentence for whatever is wrong with one."""

from __future__ import annotations

import functools
import inspect
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .bounds import shown


class Settings(BaseModel):
    """Frozen values, given as to a dataclass. A field's docstring is what help pages and the page say of it.

    Raises:
        ValueError: a value is wrong.
        TypeError: a name is missing or none of the fields', as in any call; or a value has the wrong type, where
            a validator of ours says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    __str__ = BaseModel.__repr__  # with the class's name, as a dataclass is printed

    def __init__(self, *values: Any, **named: Any) -> None:
        try:
            arguments = _signature(type(self)).bind(*values, **named).arguments
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            raise ValueError(sentence(error)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")


@functools.cache
def _signature(kind: type[Settings]) -> inspect.Signature:
    """Of a dataclass with the same fields."""
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if field.is_required() else field.get_default(),
            )
            for name, field in kind.model_fields.items()
        ]
    )


@dataclass(frozen=True)
class Problem:
    """One thing that pydantic finds wrong.

    Attributes:
        kind: pydantic's name for it, such as "missing".
        place: the names and positions that lead to it; empty where values do not fit together.
        value: what stands there, as code, shortened.
        reason: our validator's own words, or else pydantic's.
        ours: whether they are ours.
    """

    kind: str
    place: tuple[str, ...]
    value: str
    reason: str
    ours: bool

    @property
    def path(self) -> str:
        return ".".join(self.place)

    @property
    def clause(self) -> str:
        """The reason as the second half of a sentence."""
        return self.reason[0].lower() + self.reason[1:]


def problems(error: ValidationError) -> list[Problem]:
    """Everything that pydantic finds wrong, for the sentences of settings, recipes and jobs files."""
    entries = []
    for entry in error.errors():
        own = entry["ctx"]["error"] if entry["type"] in ("value_error", "assertion_error") else None
        entries.append(
            Problem(
                kind=entry["type"],
                place=tuple(map(str, entry["loc"])),
                value=shown(entry["input"]),
                reason=entry["msg"] if own is None else str(own),
                ours=own is not None,
            )
        )
    return entries


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with the offending value; our validators' own words as they are."""
    first = problems(error)[0]
    if first.ours:
        return first.reason
    return f"{first.path}={first.value}: {first.clause}"


def shortened(text: str, most: int) -> str:
    """A text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."
