"""The folder of a long run: what it was begun with, and the pieces that are done."""

import os
import re

import pytest
from PIL import Image

from picturelab.recipes import read
from picturelab.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run", "an audit", "chunk")


def test_a_piece_is_done_once_its_notes_are_there(folder):
    folder.begin({"model": "m"})
    assert folder.piece("two words") is None
    picture = Image.new("RGB", (3, 2), "red")
    folder.finish("two words", {"share": 0.5}, {"a/1.png": (picture, {"seed": 1})})
    assert folder.piece("two words") == {"share": 0.5}
    assert os.listdir(folder.folder / "pieces") == ["two-words.json"]
    assert folder.picture("a/1.png").getpixel((2, 1)) == (255, 0, 0)
    assert read(folder.folder / "images" / "a" / "1.png", "chunk", "us") == {"seed": 1}


def test_other_settings_are_named(folder):
    folder.begin({"model": "m", "call": {"steps": 4, "sizes": [1, 2]}, "seeds": list(range(50))})
    folder.begin({"model": "m", "call": {"steps": 4, "sizes": (1, 2)}, "seeds": list(range(50))})
    with pytest.raises(ValueError) as failure:  # noqa: PT011 (compared below)
        folder.begin({"model": "m", "call": {"steps": 5, "sizes": [1, 2]}, "seeds": []})
    numbers = str(list(range(50)))[:57]
    assert str(failure.value) == (
        f"{folder.folder} holds an audit begun with seeds {numbers}... instead of [], "
        "call.steps 4 instead of 5; give the same settings or another folder"
    )


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model": "n", "steps": 5}, 'begun with model "m" instead of "n" and 1 more;'),
        ({"prompts": ["p" * 80] * 2}, "begun with 3 prompts instead of 2;"),
        ({"prompts": ["p" * 80, "p" * 80, "q"]}, "begun with other prompts;"),
        ({str(number): 1 for number in range(9)}, "null instead of 1 and 3 more;"),
    ],
)
def test_what_differs_is_said_in_a_few_words(folder, other, said):
    settings = {"model": "m", "steps": 4, "prompts": ["p" * 80] * 3}
    folder.begin(settings)
    with pytest.raises(ValueError, match=re.escape(said)) as failure:
        folder.begin(settings | other)
    assert len(str(failure.value)) < 400


def test_a_folder_of_something_else_is_refused(folder):
    folder.folder.mkdir()
    (folder.folder / "notes.txt").write_text("mine")
    with pytest.raises(
        ValueError, match="is not empty and does not hold an audit; give an empty or a new folder"
    ):
        folder.begin({})


@pytest.mark.parametrize("text", ["", '{"share": 0', "[" * 100_000, "[]", "\0" * 9])
def test_a_piece_that_cannot_be_read_is_to_be_made(folder, text):
    folder.begin({})
    folder.finish("a", {"share": 0.5}, {})
    (folder.folder / "pieces" / "a.json").write_text(text)
    assert folder.piece("a") is None
    folder.finish("a", {"share": 0.5}, {})
    assert folder.piece("a") == {"share": 0.5}


def test_a_full_disk_and_damaged_settings_are_sentences(folder, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device")

    folder.begin({})
    monkeypatch.setattr("picturelab.runs.folder.write_whole", full)
    with pytest.raises(ValueError, match=r"run cannot be written \(No space left on device\)"):
        folder.finish("a", {}, {})
    (folder.folder / "settings.json").write_text("")
    with pytest.raises(ValueError, match=r"settings.json cannot be read \(Expecting value"):
        folder.begin({})
