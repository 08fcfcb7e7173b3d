"""Settings and recipes that check themselves, and one sentence for whatever is wrong with one."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Settings(BaseModel):
    """Frozen values by name. Each field's docstring is what help pages and the page say of it.

    Raises:
        ValueError: a value is out of range, missing, or of a name that is none.
        TypeError: a value has the wrong type, where a validator of ours says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(sentence(error)) from None


def sentence(error: ValidationError) -> str:
    """The first thing that is wrong, with the offending value; our validators' own words as they are."""
    return problem_in_words(error.errors()[0])


def problem_in_words(problem: Any) -> str:
    """One of pydantic's problems (an entry of `ValidationError.errors()`) as a sentence of ours."""
    own = (problem.get("ctx") or {}).get("error")
    if own is not None:
        return str(own)
    place, text = ".".join(map(str, problem["loc"])), problem["msg"]
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {place!r}"
    if problem["type"] == "missing":
        return f"{place} is missing"
    value = repr(problem["input"])
    value = value if len(value) <= 80 else f"{value[:77]}..."
    return f"{place}={value}: {text[0].lower()}{text[1:]}"
