"""A tab's fields by name, and what is wrong with their values, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from picturelab import bounds

from .errors import sentence
from .events import News


class Form(dict[str, Any]):
    """Components by name: what a job is made of, and what a link keeps.

    Args:
        prefix: of the elements' ids; `links.after_click` says at "prefix-name" what is wrong.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix
        self._zero_is_empty: set[str] = set()

    def add(self, name: str, field: Any, *, zero_is_empty: bool = False) -> None:
        """One more field.

        Args:
            zero_is_empty: of a number that may be empty, of which Gradio makes a 0 once its part of the page unfolds.
        """
        field.elem_id = f"{self._prefix}-{name}"
        self[name] = field
        if zero_is_empty:
            self._zero_is_empty.add(name)

    def read(self, inputs: Mapping[Any, Any]) -> dict[str, Any]:
        """{name: value} of what a handler gets, {component: value}."""
        values = {name: inputs[field] for name, field in self.items()}
        return values | {name: values[name] or None for name in self._zero_is_empty}

    def fill(self, values: Mapping[str, Any]) -> News:
        """The news that give fields these values."""
        return {self[name]: value for name, value in values.items()}

    def first_values(self) -> dict[str, Any]:
        """Those that the page is built with."""
        return {name: field.value for name, field in self.items()}


def bounded(slider: Any) -> Any:
    """The slider, for which a typed number beyond an end means that end; Gradio answers with an error of its own."""
    preprocess = slider.preprocess
    slider.preprocess = lambda value: preprocess(min(max(value, slider.minimum), slider.maximum))
    return slider


class FieldProblems(dict[str, str]):
    """{field: what is wrong with it, a sentence}; of one field the first stays. Empty if all is well."""

    @contextmanager
    def at(self, field: str) -> Iterator[None]:
        """Bad input within belongs to this field."""
        try:
            yield
        except (ValueError, TypeError) as error:
            self.setdefault(field, sentence(error))

    def refuse(self) -> None:
        """Does anything stand here?

        Raises:
            FieldError: something does.
        """
        if self:
            raise FieldError(self)


class FieldError(ValueError):
    """Fields hold what cannot be used; `problems` says what is wrong with each."""

    def __init__(self, problems: FieldProblems) -> None:
        super().__init__("; ".join(problems.values()))
        self.problems = problems


def check_optional_prompt(prompt: Any, name: str) -> None:
    """Is it text that is short enough, or nothing?

    Raises:
        ValueError: it is not.
    """
    if prompt is not None:
        bounds.check_prompt(name, prompt)


def check_whole(name: str, value: Any) -> None:
    """Is this a whole number?

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise ValueError(
            f"{name} is {'empty' if value is None else bounds.shown(value)}: give a whole number"
        )


def check_between(name: str, value: Any, least: int, most: int) -> None:
    """Is this a whole number from `least` to `most`?

    Raises:
        ValueError: it is not.
    """
    check_whole(name, value)
    if not least <= value <= most:
        raise ValueError(f"{name}={bounds.shown(int(value))}: must be from {least} to {most}")


def check_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    """Is this one of the words that a field offers?

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is {bounds.shown(value)}; it can be {', '.join(known)}")
