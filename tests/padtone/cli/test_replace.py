"""`padtone replace`: other rows in the padding's place, as a grid that can be made again."""

import functools
import re

import pytest
from PIL import Image

import padtone
from padtone.cli import main
from padtone.interventions.replacing import replacements
from padtone.recipe import read_recipe
from tests.tiny import text_pipelines

PROMPT = "a red circle"
QUICK = ("--steps", "2", "--size", "32x16")


@pytest.fixture
def run(run_command):
    return functools.partial(run_command, main)


def test_grid_and_remake(run, tiny_model):
    settings = ("--model", tiny_model, "--padding", "full,clean,repeat", "--seeds", "0,2", *QUICK)
    code, out, err = run("replace", PROMPT, *settings, "--negative", "blue", "--out", "grid.png")
    assert code == 0, err
    arms, found = out.splitlines()
    assert arms == "arms full, clean, repeat; seeds 0, 2: grid.png"
    assert re.match(
        r"difference from the full picture, 100% being the pixels' range: clean \d+%, repeat \d+%, another seed ",
        found,
    )
    recipe = read_recipe("grid.png")
    assert (recipe["command"], recipe["arms"]) == ("replace", ["full", "clean", "repeat"])
    code, _, err = run("remake", "grid.png", "--out", "again.png")
    assert code == 0
    assert "Warning" not in err
    with Image.open("grid.png") as first, Image.open("again.png") as second:
        assert first.tobytes() == second.tobytes()
    assert read_recipe("again.png") == recipe


@pytest.mark.parametrize(
    ("padding", "sentence"),
    [
        (
            "full,dots",
            "padding is ['full', 'dots']; it is one or several of full, clean, empty_prompt, repeat, commas",
        ),
        ("full,full", "padding is ['full', 'full']; it is one or several"),
        (",", "padding is ','; name at least one"),
    ],
)
def test_what_is_no_replacement_is_refused(run, tmp_path, padding, sentence):
    code, out, err = run("replace", PROMPT, "--padding", padding)
    assert (code, out) == (2, "")
    assert sentence in err
    assert not list(tmp_path.iterdir())


def test_a_model_whose_words_hold_no_comma(run, tiny_model, tmp_path):
    code, _, err = run("replace", PROMPT, "--model", tiny_model, "--padding", "commas", *QUICK)
    assert code == 2
    assert "tokenizer knows no comma: it reads ',' as" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["flux", "flux2_klein"])
def test_each_is_what_the_block_makes(tiny, name):
    pipe = tiny(name)
    call = {**text_pipelines.SIZE, **text_pipelines.CALL[name], "output_type": "np"}
    pictures = replacements(pipe, PROMPT, [3], ["full", "clean", "repeat"], **call)
    for replacement, block in (
        ("clean", padtone.replace_padding(pipe)),
        ("repeat", padtone.replace_padding(pipe, filling="repeat")),
    ):
        with block:
            (by_hand,) = text_pipelines.run(pipe, name, PROMPT, (3,)).numpy()
        assert (pictures[replacement][0] == by_hand).all()
        assert not (pictures["full"][0] == by_hand).all()
