"""What is said of a prompt before it is drawn."""

import pytest

from picturelab.prompts import check_said, remark_unknown_words, unknown_words
from picturelab.remarks import Remark


@pytest.mark.parametrize("prompt", ["", "  \n", None])
def test_an_empty_prompt(prompt):
    with pytest.raises(ValueError, match=r"^the prompt is empty: say what to draw$"):
        check_said(prompt)
    assert check_said(" a cat ") == " a cat "


def test_a_prompt_that_is_too_long():
    with pytest.raises(ValueError, match=r"^title has 10,001 letters: must be at most 10,000$"):
        check_said("a" * 10_001, "title")


def test_words_that_a_shipped_model_cannot_read():
    said = unknown_words("shapeworld/unet", "a photo of a red fox")
    assert said.startswith("shapeworld/unet does not know photo, fox; its words are a, above, ")
    assert unknown_words("shapeworld/unet", "a red circle") is None
    assert unknown_words("owner/name", "a photo of a fox") is None
    many = unknown_words("shapeworld/unet", "one two three four five six seven eight nine")
    assert "seven, eight ...; its words" in many


def test_a_remark_a_prompt():
    with pytest.warns(Remark) as remarks:
        remark_unknown_words("shapeworld/unet", "a fox", None, "a hen", "a red circle")
    assert [str(remark.message).partition(";")[0] for remark in remarks] == [
        "shapeworld/unet does not know fox",
        "shapeworld/unet does not know hen",
    ]
