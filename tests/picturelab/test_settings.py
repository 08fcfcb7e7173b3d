"""What settings, recipes and jobs files say of a wrong value."""

from dataclasses import FrozenInstanceError

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from picturelab.recipes import parsed
from picturelab.settings import Settings, problems, shortened


class _Lamp(Settings):
    watts: int = Field(gt=0)
    colour: str = "white"

    @field_validator("colour")
    @classmethod
    def _no_black(cls, value):
        if value == "black":
            raise ValueError("colour is 'black'; lamps give light")
        return value


class _Room(BaseModel):
    lamps: list[int]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"watts": 0}, "watts=0: input should be greater than 0"),
        ({"watts": 5, "colour": "black"}, "colour is 'black'; lamps give light"),
        ({"watts": "x" * 99}, f"watts='{'x' * 76}...: input should be a valid integer, "),
    ],
)
def test_one_sentence_for_what_is_wrong(values, sentence):
    with pytest.raises(ValueError) as failure:  # noqa: PT011 (compared below)
        _Lamp(**values)
    assert str(failure.value).startswith(sentence)
    assert not isinstance(failure.value, ValidationError)


@pytest.mark.parametrize(
    ("values", "named", "sentence"),
    [
        ((), {}, "_Lamp: missing a required argument: 'watts'"),
        ((), {"watts": 5, "price": 3}, "_Lamp: got an unexpected keyword argument 'price'"),
        ((5,), {"watts": 5}, "_Lamp: multiple values for argument 'watts'"),
        ((5, "red", 3), {}, "_Lamp: too many positional arguments"),
    ],
)
def test_names_are_those_of_the_fields(values, named, sentence):
    with pytest.raises(TypeError) as failure:
        _Lamp(*values, **named)
    assert str(failure.value) == sentence


def test_values_by_place():
    assert _Lamp(5, "red") == _Lamp(colour="red", watts=5)


def test_settings_are_frozen():
    lamp = _Lamp(watts=5)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'watts'"):
        lamp.watts = 6
    assert lamp == _Lamp(watts=5, colour="white")


def test_every_problem_with_its_place():
    with pytest.raises(ValidationError) as failure:
        _Room.model_validate({"lamps": [1, "a", 3, "b"]})
    first, second = problems(failure.value)
    assert (first.place, first.path, first.value) == (("lamps", "1"), "lamps.1", "'a'")
    assert (second.path, second.kind, second.ours) == ("lamps.3", "int_parsing", False)
    assert first.clause == "input should be a valid integer, unable to parse string as an integer"


def test_a_recipe_names_its_entry():
    with pytest.raises(
        ValueError, match=r"^the recipe's entry 'lamps\.0' is wrong: Input should be a valid int"
    ):
        parsed(_Room, {"lamps": ["a"]})


def test_shortened():
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "12..."
