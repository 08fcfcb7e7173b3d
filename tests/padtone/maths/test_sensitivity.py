"""Changes of rows by role, their unit and their growth, against values worked out by hand."""

import itertools
import math

import pytest
import torch

from padtone.maths.sensitivity import (
    EARLIER,
    LATER,
    WORD,
    RowChanges,
    distances,
    exponent,
    part_changes,
    parts_of_change,
    relative,
    root_mean_square,
    row_changes,
)

ROLES = ["bos", "prompt", "prompt", "prompt", "eos", "padding"]


def test_what_rows_are_to_a_change():
    assert parts_of_change(ROLES, {2}) == ["bos", EARLIER, WORD, LATER, "eos", "padding"]
    assert parts_of_change(ROLES, {1, 3}) == ["bos", WORD, LATER, WORD, "eos", "padding"]
    assert parts_of_change(ROLES, ()) == ["bos", EARLIER, EARLIER, EARLIER, "eos", "padding"]


def test_change_of_rows():
    one, other = torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([[0.0, 0.0], [4.0, 6.0]])
    assert row_changes(one, other).tolist() == [0.0, 12.5]
    parts = part_changes(torch.tensor([0.0, 12.5, 4.0]), ["bos", "padding", "padding"])
    assert parts == {"bos": 0.0, "padding": pytest.approx(math.sqrt(8.25))}


def test_distance_of_texts_of_unequal_length():
    """The end is compared with the end, padding with the padding of the same row."""
    one = torch.tensor([[0.0], [1.0], [2.0], [5.0], [9.0]])
    other = torch.tensor([[0.0], [4.0], [7.0], [8.0], [6.0]])
    long, short = (
        ["bos", "prompt", "prompt", "eos", "padding"],
        ["bos", "prompt", "eos", "padding", "padding"],
    )
    assert distances([(one, long), (other, short)]) == {"bos": 0, "prompt": 3, "eos": 2, "padding": 3}
    third = torch.tensor([[2.0], [1.0], [2.0], [5.0], [9.0]])
    assert distances([(one, long), (other, short), (third, long)])["bos"] == pytest.approx(4 / 3)


def test_a_role_that_only_one_text_has_gives_no_distance():
    rows = torch.zeros(2, 1)
    assert distances([(rows, ["bos", "prompt"]), (rows, ["bos", "padding"])]) == {"bos": 0.0}


def test_words_side_by_side_grow_with_the_root_of_their_number():
    """k of six words, each moved by 3: the rms over all is 3 sqrt(k / 6)."""
    text = torch.zeros(6, 4)
    changes = []
    for count in (1, 2, 3):
        other = text.clone()
        other[:count] += 3
        changes.append(part_changes(row_changes(text, other), ["padding"] * 6)["padding"])
    assert changes == pytest.approx([3 * math.sqrt(k / 6) for k in (1, 2, 3)])
    assert exponent((1, 2, 3), changes) == pytest.approx(0.5)


def test_unequal_words_grow_with_the_root_of_their_number_too():
    """Words that move the whole text by 1, 2 and 5 at right angles: the root mean square over all choices of k."""
    moves = torch.diag(torch.tensor([1.0, 2.0, 5.0]))
    changes = []
    for count in (1, 2, 3):
        choices = itertools.combinations(range(3), count)
        found = torch.stack(
            [row_changes(torch.zeros(1, 3), moves[list(rows)].sum(0)[None]).sqrt() for rows in choices]
        )
        changes.append(float(root_mean_square(found)))
    assert changes[0] == pytest.approx(math.sqrt(30 / 3 / 3))
    assert exponent((1, 2, 3), changes) == pytest.approx(0.5)


def test_exponent():
    assert exponent((1, 2, 4), (0.5, 1.0, 2.0)) == pytest.approx(1.0)
    assert exponent((1, 2, 3), (0.0, 0.0, 0.0)) is None
    assert exponent((1,), (0.5,)) is None
    assert exponent((1, 2, 4), (0.5, None, 1.0)) == pytest.approx(0.5)


def test_nothing_to_compare_with():
    assert relative(0.0, 0.0) == 0.0
    assert relative(1.0, 0.0) is None
    assert relative(None, 2.0) is None
    assert relative(1.0, 4.0) == 0.25


def test_changes_of_one_word_and_of_one_row():
    rows = RowChanges(
        name="text_encoder",
        tokens=("a", "b", "<pad>", "<pad>"),
        roles=("prompt", "prompt", "padding", "padding"),
        distances={},
        changes={},
        exponents={},
        carry=torch.tensor([[1.0, 0.5, 3.0, 4.0], [0.0, 2.0, 1.0, torch.nan]]),
        own=((0,), (1,)),
    )
    assert rows.of_word(0) == {WORD: 1.0, LATER: 0.5, "padding": pytest.approx(math.sqrt(12.5))}
    assert rows.of_rows()[:3].tolist() == pytest.approx([math.sqrt(0.5), math.sqrt(2.125), math.sqrt(5)])
    assert rows.to_dict()["carry"][1] == [0.0, 2.0, 1.0, None]
    assert rows.to_dict()["words"][1]["padding"] is None
