"""Numbers and texts as typer parses them: within their bounds, and refused in the words of our other messages."""

from __future__ import annotations

import re

import typer

from ..bounds import BOUNDS, check, check_prompt, shown
from ..notation import parse_size
from ..prompts import check_said

_SHORT = {"fp32": "float32", "fp16": "float16", "half": "float16", "bf16": "bfloat16"}


class OutOfBounds(typer.BadParameter):
    """Says what `picturelab.bounds` says, without the option's name before it."""

    def format_message(self) -> str:
        return self.message


class Bounded:
    """A parser of numbers within a bound.

    Args:
        name: of the option, for the message.
        bound: its key in `picturelab.bounds.BOUNDS`; None takes `name`.

    Attributes:
        bound: what a number must be.
    """

    def __init__(self, name: str, bound: str | None = None):
        self.__name__, self._key = name, bound or name
        self.bound = BOUNDS[self._key]

    def __call__(self, text: str) -> int | float:
        try:
            value = int(text) if self.bound.whole else float(text)
        except ValueError:
            kind = self.bound.words.removeprefix("a ")
            raise typer.BadParameter(f"{shown(text)} is no {kind}") from None
        try:
            check(self.__name__, value, self._key)
        except ValueError as error:
            raise OutOfBounds(str(error)) from None
        return value


class Prompted:
    """A parser of prompts, which have a greatest length.

    Args:
        name: of the option or argument.
        empty: whether it may say nothing, as a negative prompt may.
    """

    def __init__(self, name: str, *, empty: bool = False):
        self.__name__, self._empty = name, empty

    def __call__(self, text: str) -> str:
        try:
            return str(check_prompt(self.__name__, text)) if self._empty else check_said(text, self.__name__)
        except ValueError as error:
            raise OutOfBounds(str(error)) from None


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is no whole number") from None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)} is no number") from None


def dtype(text: str) -> str:
    """A dtype by its name or the short one that others use, such as fp16; whether there is one is asked later."""
    return _SHORT.get(text.lower(), text)


def gibibytes_typed(text: str) -> int | float:
    """Memory in GiB, with or without the unit."""
    return Bounded("memory", "gibibytes")(re.sub(r"\s*Gi?B?\s*$", "", text, flags=re.IGNORECASE))


def pixels(text: str) -> tuple[int, int]:
    """(height, width) of a size as people type it.

    Raises:
        ValueError: it is no size, or lies outside the bounds.
    """
    height, width = parse_size(text)
    return check("height", height), check("width", width)
