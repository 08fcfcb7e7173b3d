"""Fields by name, and what is wrong with their values."""

import gradio as gr
import pytest

from picturelab.bounds import shown
from picturelab_ui.forms import FieldError, FieldProblems, Form, check_between, check_whole


def test_a_form_reads_and_fills_its_fields_by_name():
    form = Form("tab")
    form.add("seed", gr.Number(3))
    form.add("prompt", gr.Textbox("a"))
    seed, prompt = form["seed"], form["prompt"]
    assert (seed.elem_id, prompt.elem_id) == ("tab-seed", "tab-prompt")
    assert form.read({prompt: "b", seed: 4, gr.Textbox(): "of another form"}) == {"seed": 4, "prompt": "b"}
    assert form.fill({"prompt": "c"}) == {prompt: "c"}
    assert form.first_values() == {"seed": 3, "prompt": "a"}


def test_the_first_problem_of_a_field_stays():
    problems = FieldProblems()
    problems.refuse()  # nothing is wrong yet
    for sentence in ("too large", "too late"):
        with problems.at("seed"):
            raise ValueError(sentence)
    with problems.at("prompt"):
        raise TypeError("no text")
    with pytest.raises(FieldError, match=r"^too large; no text$") as refused:
        problems.refuse()
    assert refused.value.problems == {"seed": "too large", "prompt": "no text"}
    with pytest.raises(KeyError), problems.at("steps"):
        raise KeyError("not bad input")


@pytest.mark.parametrize("value", [None, "3", 2.5, float("inf"), float("nan")])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ValueError, match=r"^seed is .*: give a whole number$"):
        check_whole("seed", value)


def test_whole_numbers_have_bounds():
    check_between("steps", 1.0, 1, 200)
    for value in (0, 201):
        with pytest.raises(ValueError, match=f"^steps={value}: must be from 1 to 200$"):
            check_between("steps", value, 1, 200)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["x" * 50] * 10**6, None),
        ({"a": ["b"] * 10**6}, None),
        ("x" * 10**7, None),
        (-(10**5000), "a number of 16,610 bits"),
        ([10**5000], "[a number of 16,610 bits]"),
    ],
    ids=["list", "dict", "text", "number", "listed number"],
)
def test_values_of_any_size_stand_in_a_sentence(value, words):
    assert len(shown(value)) <= 80
    assert words in (None, shown(value))
    with pytest.raises(ValueError, match=r"^(seed|steps)[ =]") as refused:
        check_between("steps", value, 1, 200)
    assert len(str(refused.value)) <= 140


def test_a_zero_of_a_number_that_may_be_empty_is_none():
    form = Form("tab")
    level, steps = gr.Number(None), gr.Number(3)
    form.add("level", level, zero_is_empty=True)
    form.add("steps", steps)
    assert form.read({level: 0, steps: 0}) == {"level": None, "steps": 0}
    assert form.read({level: 2, steps: 3}) == {"level": 2, "steps": 3}
