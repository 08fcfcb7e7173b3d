"""The commands about words and about attention by size, as a person uses them, on a small model."""

import functools
import json
import re

import pytest
import torch
from PIL import Image

from padtone.cli import main
from padtone.maths.roles import TokenRoles
from padtone.reports.roles import carry_colour, roles_sheet
from tests.padtone.cli.test_main import files, is_one_sentence

PROMPT = "a red circle on a blue background"


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


@pytest.mark.slow
def test_sensitivity(run, tiny_model, tmp_path):
    (tmp_path / "words.yaml").write_text("colour: [red, green, blue]\nshape: [circle, square]\n")
    (tmp_path / "prompts.txt").write_text("a square\na green square on a red background\na triangle\n")
    given = ("--words", "words.yaml", "--prompts", "prompts.txt", "--changes", "2", "--draws", "2")
    code, out, err = run("sensitivity", PROMPT, "--model", tiny_model, *given, "--out", "s.png")
    lines = out.splitlines()
    assert code == 0, err
    assert lines[0].split() == ["text_encoder,", "words", "replaced", "1", "word", "2", "words", "exponent"]
    (earlier,) = (line.split() for line in lines[:8] if line.startswith("  earlier words"))
    assert earlier[2:] == ["0.00", "0.00", "-"]
    assert [line.split()[0] for line in lines if line.startswith("  ")][-3:] == ["red", "circle", "blue"]
    assert lines[-3] == "not replaced, for lack of a word of the same kind and length: a, on, background"
    (padding,) = (line.split()[1] for line in lines[:8] if line.startswith("  padding"))
    (own,) = (line.split()[3] for line in lines[:8] if line.startswith("  the word itself"))
    assert lines[-2] == (
        f"text_encoder: one word replaced moves the padding's rows {padding} times as far as another prompt does, "
        f"the word's own rows {own} times"
    )
    assert lines[-1] == "1 is as much as another prompt: s.png"
    assert len(Image.open("s.png").getcolors(10**6)) > 100


def test_the_worlds_own_words_as_json(run, tmp_path):
    code, out, _ = run("sensitivity", "a large red circle", "--draws", "1", "--changes", "1", "--json")
    values = json.loads(out)
    assert code == 0
    assert values["words"] == ["large", "red", "circle"]
    assert values["unreplaced"] == ["a"]
    (text,) = values["texts"]
    assert text["changes"]["earlier words"] == [0.0]
    assert len(text["carry"]) == 3
    assert len(text["carry"][0]) == len(text["tokens"]) == 24
    assert files(tmp_path) == ["outputs", "outputs/sensitivity-a-large-red-circle.png"]


@pytest.mark.slow
def test_roles_by_carry(run, tiny_model):
    """The beginning changes with no word of a causal encoder, the padding with each."""
    code, out, _ = run("roles", PROMPT, "--model", tiny_model, "--carry", "--out", "carry.png")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[1][:3] == ["0", "bos", "0.00"]
    low, high = map(float, next(line for line in lines if "padding" in line)[2].split("-"))
    assert 0 < low <= high
    values = json.loads(run("roles", PROMPT, "--model", tiny_model, "--carry", "--json")[1])
    assert values[0]["carry"][0] == 0
    assert min(values[0]["carry"][2:]) > 0


def test_the_sheet_is_coloured_by_carry():
    entry = TokenRoles(
        "text_encoder", ("b", "p", "e", "."), (0, 1, 2, 2), ("bos", "prompt", "eos", "padding"), range(4)
    )
    pooled = TokenRoles("text_encoder_2", ("b",), (0,), ("bos",), None)
    sheet = roles_sheet([entry, pooled], carry={"text_encoder": [0.0, 2.0, float("nan"), 0.4]})
    counts = {pixel: count for count, pixel in sheet.getcolors(10**6)}
    cell = 88 * 36
    for change, cells in ((1.0, 1), (0.4, 1)):  # nothing is deeper than another prompt
        colour = tuple(int(carry_colour(change)[i : i + 2], 16) for i in (1, 3, 5))
        assert abs(counts[colour] - cells * cell) < cell / 3
    assert carry_colour(0.0) == carry_colour(float("nan")) == "#ffffff"
    assert not any(pixel in counts for pixel in ((185, 228, 180), (227, 227, 228)))


@pytest.mark.slow
def test_attention(run, tiny_model):
    given = ("--model", tiny_model, "--size", "32x16", "--steps", "2")
    code, out, _ = run("attention", PROMPT, *given, "--scales", "1,1.5", "--out", "a.png")
    lines = out.splitlines()
    assert code == 0
    assert [lines[0].split(":")[0], lines[4].split(":")[0]] == ["32x16", "48x24"]
    assert "padding if even 62.5%" in lines[0]  # 15 of 24 rows
    assert lines[1].startswith("  layers with most to padding: ")
    assert ".attn2) " in lines[1]
    shares = [re.search(r"padding ([\d.]+%)", lines[i])[1] for i in (0, 4)]
    assert lines[-2].startswith(f"padding takes {shares[0]} of the image's attention at 32x16, ")
    assert f" times its even share; {shares[1]} of the image's attention at 48x24, " in lines[-2]
    assert lines[-2].endswith("; that is where it looks, and whether padding is used `padtone audit` tells")
    assert lines[-1].endswith("from 0: a.png")
    assert len(Image.open("a.png").getcolors(10**6)) > 100
    (size,) = json.loads(run("attention", PROMPT, *given, "--scales", "0.5", "--json", "--out", "b.png")[1])
    assert (size["width"], size["height"]) == (16, 8)
    assert list(size["rows"]) == [str(row) for row in range(9, 24)]
    assert len(size["steps"]) == 2
    assert sum(size["rows"].values()) == pytest.approx(size["shares"]["padding"], abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sensitivity", PROMPT, "--changes", "0"], "changes=0: must be a whole number from 1"),
        (["sensitivity", PROMPT, "--draws", "x"], "'x' is no whole number"),
        (["sensitivity", PROMPT, "--seed", "-1"], "seed=-1: must be a whole number from 0"),
        (["sensitivity", PROMPT, "--words", "absent.yaml"], "absent.yaml cannot be read"),
        (
            ["sensitivity", PROMPT, "--words", "list.yaml"],
            "list.yaml holds ['red', 'blue']; it must map kinds",
        ),
        (["sensitivity", PROMPT, "--prompts", "one.txt"], "one.txt holds 1 prompts; two or more are needed"),
        (["sensitivity", PROMPT, "--out", "a.jpg"], "a.jpg: pictures are written as PNG"),
        (["sensitivity", "on a of"], "none of the words of 'on a of' can be replaced"),
        (["attention", PROMPT, "--scales", "1,two"], "scales is '1,two'; it is numbers between commas"),
        (["attention", PROMPT, "--scales", ""], "scales is ''; it is numbers between commas"),
        (["attention", PROMPT, "--scales", "0"], "scales is '0'; each is a number from 0.01 to 100"),
        (["attention", PROMPT, "--scales", "nan"], "scales is 'nan'; each is a number from 0.01 to 100"),
        (["attention", PROMPT, "--scales", "1,1"], "scales is [1.0, 1.0]; two of them give 128x128"),
        (["attention", PROMPT, "--size", "32"], "'32'"),
        (["attention", PROMPT, "--steps", "0"], "steps=0: must be a whole number from 1"),
        (["attention", PROMPT, "--out", "list.yaml/a.png"], "list.yaml/a.png cannot be written"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(run, tmp_path, arguments, sentence):
    (tmp_path / "list.yaml").write_text("[red, blue]")
    (tmp_path / "one.txt").write_text("a cat\n")
    before = files(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, sentence), err
    assert files(tmp_path) == before


def test_maps_of_numbers_that_are_none(tmp_path):
    """Nothing to compare with, a prompt in dollars and in another script: the chart is drawn all the same."""
    from padtone.maths.sensitivity import RowChanges, Sensitivity
    from padtone.reports.sensitivity import sensitivity_chart

    rows = RowChanges(
        "text_encoder", ("b", "w"), ("bos", "prompt"), {}, {"bos": (None,)}, {"bos": None},
        torch.tensor([[torch.nan, 0.5]]), ((1,),),
    )  # fmt: skip
    chart = sensitivity_chart(Sensitivity("$\\frac$ \u4e00", ("$x$",), (), (1,), (rows,)))
    assert len(chart.getcolors(10**6)) > 20
