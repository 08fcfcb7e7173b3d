import pytest
import typer

from picturelab.cli.arguments import Bounded, Prompted, dtype, gibibytes_typed, pixels


def test_numbers_within_their_bounds():
    assert [Bounded("steps")(text) for text in ("1", "1000", " 7 ")] == [1, 1000, 7]
    assert Bounded("guidance")("2.5") == 2.5
    assert Bounded("max-length", "tokens")("77") == 77


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0", "steps=0: must be a whole number from 1 to 1000"),
        ("1001", "steps=1001: must be a whole number from 1 to 1000"),
        ("many", "Invalid value: 'many' is no whole number from 1 to 1000"),
        ("1.5", "Invalid value: '1.5' is no whole number from 1 to 1000"),
        ("9" * 5000, "is no whole number from 1 to 1000"),
    ],
)
def test_others_are_one_sentence(text, sentence):
    with pytest.raises(typer.BadParameter) as caught:
        Bounded("steps")(text)
    said = caught.value.format_message()
    assert sentence in said
    assert len(said) < 160


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1000.1"])
def test_guidance_is_a_number_that_can_be_used(text):
    with pytest.raises(typer.BadParameter):
        Bounded("guidance")(text)


def test_prompts_have_a_greatest_length():
    assert Prompted("prompt")("a" * 10_000) == "a" * 10_000
    with pytest.raises(typer.BadParameter) as caught:
        Prompted("prompt")("a" * 10_001)
    assert caught.value.format_message() == "prompt has 10,001 letters: must be at most 10,000"


def test_pixels():
    assert pixels("384x256") == (256, 384)
    for text in ("0x8", "8x32769"):
        with pytest.raises(ValueError, match="must be a whole number from 8 to 32768"):
            pixels(text)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("fp16", "float16"),
        ("FP32", "float32"),
        ("bf16", "bfloat16"),
        ("half", "float16"),
        ("float64", "float64"),
    ],
)
def test_dtypes_go_by_their_short_names_too(typed, name):
    assert dtype(typed) == name


@pytest.mark.parametrize("text", ["12", "12GB", "12 GiB", "12g", "12.0"])
def test_memory_may_have_its_unit(text):
    assert gibibytes_typed(text) == 12
