"""A1111's parameters text: ours through a reader of its grammar, and that of others through ours."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from picturelab.foreign.a1111 import parse, read, text_of

PARAMETERS = {"Steps": 20, "Sampler": "Euler a", "CFG scale": "7", "Seed": 2**63 - 1, "Size": "512x768"}
THEIRS = """a castle, (snow:1.2), [fog], escaped \\(brackets\\) <lora:winter:0.8>
second line: with a colon
Negative prompt: blurry, ugly
more of it
Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1234567890123, Size: 512x768, Model hash: 31e35c80fc, \
Model: sd_xl_base_1.0, Lora hashes: "winter: aabbccddeeff, other: 112233445566", Clip skip: 2, Version: v1.9.4"""


def independent(text):
    """Prompt, negative prompt and parameters, by the rules as A1111's documentation of the format has them."""
    *lines, last = text.split("\n")
    begin = next((i for i, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    prompt, negative = "\n".join(lines[:begin]), "\n".join(lines[begin:]).removeprefix("Negative prompt: ")
    parts, inside, escaped = [""], False, False
    for letter in last:
        if letter == "," and not inside:
            parts.append("")
            continue
        if letter == '"' and not escaped:
            inside = not inside
        escaped = letter == "\\" and not escaped
        parts[-1] += letter
    pairs = (part.strip().split(": ", 1) for part in parts)
    values = {name: json.loads(value) if value.startswith('"') else value for name, value in pairs}
    return prompt, negative, values


@pytest.mark.parametrize(
    ("prompt", "negative", "more"),
    [
        ("a cat", None, {}),
        ("", "ugly", {}),
        ("a cat, red: blue, \"quoted\" 'x'", "bad, worse: worst", {"Model": "a, b: c"}),
        ("line one\nSteps: 1, Seed: 2, Size: 3x3\nlast", "first\nsecond", {"Note": 'say "hi"\nand \\ go'}),
        ("红色的圆", "\U0001f600", {"Model": "模型"}),
    ],
)
def test_what_is_written_is_read_by_the_formats_rules(prompt, negative, more):
    said = PARAMETERS | more
    text = text_of(prompt, negative, said)
    assert independent(text) == (prompt, negative or "", {name: str(value) for name, value in said.items()})
    assert parse(text) == independent(text)


def test_brackets_are_letters_and_a_line_that_would_begin_the_negative_prompt_is_moved_up():
    text = text_of("a (red) [cat] \\ dog\nNegative prompt: x", None, PARAMETERS)
    prompt, negative, _ = independent(text)
    assert (prompt, negative) == ("a \\(red\\) \\[cat\\] \\\\ dog Negative prompt: x", "")
    assert read(text).settings["prompt"] == "a (red) [cat] \\ dog Negative prompt: x"


def test_loras_stand_in_the_prompt():
    text = text_of("a cat", None, PARAMETERS, [("winter", 0.8)])
    assert independent(text)[0] == "a cat <lora:winter:0.8>"


def test_what_a_reader_would_misread_is_not_written():
    assert text_of("Negative prompt: a cat", None, PARAMETERS) is None


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet='ab :,"\\\n()<>\r\tNe红', max_size=30),
    st.none() | st.text(alphabet='ab :,"\\\n', max_size=30),
    st.text(alphabet='ab :,"\\\n', max_size=12),
)
def test_any_text_is_read_as_it_was_written(prompt, negative, value):
    text = text_of(prompt, negative, PARAMETERS | {"Note": value})
    assert text is not None  # nothing here begins with the words Negative prompt
    back = read(text)
    assert back.settings["prompt"].split() == prompt.split()
    assert back.settings["negative_prompt"].split() == (negative or "").split()
    assert back.others.get("Note", "") == value.strip()


def test_a_picture_of_a1111():
    found = read(THEIRS)
    assert found.settings == {
        "prompt": "a castle, (snow:1.2), [fog], escaped (brackets) <lora:winter:0.8>\nsecond line: with a colon",
        "negative_prompt": "blurry, ugly\nmore of it",
        "steps": 30,
        "guidance": 6.5,
        "seed": 1234567890123,
        "height": 768,
        "width": 512,
        "scheduler": "DPMSolverMultistep",
        "model": "sd_xl_base_1.0",
    }
    assert found.others["Model hash"] == "31e35c80fc"
    assert found.others["Lora hashes"] == "winter: aabbccddeeff, other: 112233445566"
    remarks = " ".join(found.remarks)
    for words in ("'Karras'", "LoRAs in pointed brackets", "weights in brackets", "Clip skip is 2"):
        assert words in remarks


def test_what_it_does_not_say_is_said():
    found = read("only a prompt")
    assert found.settings == {"prompt": "only a prompt", "negative_prompt": ""}
    assert found.remarks[0].startswith("there is no line of parameters")
    assert found.remarks[-1].endswith(
        "the seed, the steps, the guidance scale, the sampler, the size, the model"
    )


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("Seed: 18446744073709551615", "seed"),
        ("Seed: -1", "seed"),
        (f"Seed: {'9' * 5000}", "seed"),
        ("Seed: 0.5", "seed"),
        ("Steps: 0", "steps"),
        ("CFG scale: nan", "guidance"),
        ("CFG scale: inf", "guidance"),
        ("Size: 99999999x8", "width"),
        ("Size: 8x", "height"),
    ],
)
def test_values_that_cannot_be_taken_are_told(parameter, name):
    found = read(f"a cat\nA1: x, B2: y, C3: z, {parameter}")
    assert name not in found.settings
    assert any(name in remark for remark in found.remarks)
    assert len("".join(found.remarks)) < 1000


def test_large_texts_take_no_time_that_grows_with_their_square():
    for line in ("a" * 400_000, "a: " * 100_000, 'k: "' * 100_000, "a,b:" * 50_000, '"' * 400_000):
        assert read(line).program
    with pytest.raises(ValueError, match=r"its parameters have 1,048,577 letters"):
        read("x" * (2**20 + 1))
