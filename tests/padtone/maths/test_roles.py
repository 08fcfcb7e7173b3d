"""Roles and kept rows, by hand."""

import pytest

from padtone.maths.roles import (
    TokenRoles,
    assign,
    chosen_rows,
    nearest_padding,
    real_span,
    row_roles,
    shared_rows,
)

CLIP = {"bos": (1,), "eos": (2,)}


def entry(roles: str, start: int = 0, name: str = "text_encoder", rows: bool = True) -> TokenRoles:
    names = {"b": "bos", "p": "prompt", "e": "eos", "t": "template", ".": "padding"}
    count = len(roles)
    return TokenRoles(
        name=name,
        tokens=("x",) * count,
        ids=tuple(range(count)),
        roles=tuple(names[r] for r in roles),
        rows=range(start, start + count) if rows else None,
    )


@pytest.mark.parametrize(
    ("ids", "pad", "eos", "side", "span"),
    [
        ([1, 7, 8, 2, 2, 2], 2, 2, "right", (0, 4)),  # SD 1: the first end is the end
        ([1, 7, 8, 9, 9, 2], 2, 2, "right", (0, 6)),  # filled to the brim
        ([1, 7, 8], 2, 2, "right", (0, 3)),  # no end at all
        ([1, 7, 2, 8, 2, 2], 2, 2, "right", (0, 5)),  # the end token's name typed in the midst
        ([2, 2, 2], 2, 2, "right", (0, 1)),  # nothing but ends
        ([1, 0, 8, 2, 0, 0], 0, 2, "right", (0, 4)),  # SD 2: an exclamation mark inside the prompt
        ([7, 0, 1, 0, 0], 0, 1, "right", (0, 3)),  # T5: padding's id inside the prompt
        ([0, 0, 0], 0, 1, "right", (0, 0)),  # nothing but padding
        ([0, 0, 5, 6, 7], 0, 0, "left", (2, 5)),  # CogView4: padded at the left
        ([0, 0], 0, 0, "left", (2, 2)),
        ([5, 6], None, None, "right", (0, 2)),  # no padding token
    ],
)
def test_real_span(ids, pad, eos, side, span):
    assert real_span(ids, pad=pad, eos=eos, side=side) == span


@pytest.mark.parametrize(
    ("real", "count", "nearest"),
    [
        ([0, 1], 2, [2, 3]),  # behind the text
        ([0, 1], 9, [2, 3, 4, 5]),
        ([4, 5], 2, [2, 3]),  # before it
        ([4, 5], 9, [0, 1, 2, 3]),
        ([0, 1, 5], 1, [2]),  # before the end of a template
        ([0, 1, 5], 9, [2, 3, 4]),
        ([], 2, [0, 1]),
        ([0, 1, 2, 3, 4, 5], 2, []),
    ],
)
def test_nearest_padding(real, count, nearest):
    assert list(nearest_padding(real, 6, count)) == nearest


def test_assign_plain():
    assert assign([1, 7, 8, 2, 2], (0, 4), **CLIP) == ["bos", "prompt", "prompt", "eos", "padding"]


def test_assign_empty_prompt():
    assert assign([1, 2, 2, 2], (0, 2), **CLIP) == ["bos", "eos", "padding", "padding"]


def test_assign_bos_id_inside_the_prompt_is_prompt():
    assert assign([1, 7, 1, 2], (0, 4), **CLIP) == ["bos", "prompt", "prompt", "eos"]


def test_assign_two_openers_and_left_padding():
    assert assign([0, 0, 3, 4, 9], (2, 5), bos=(3, 4), eos=(0,)) == ["padding"] * 2 + ["bos"] * 2 + ["prompt"]


def test_assign_template():
    roles = assign([1, 5, 7, 8, 6, 0], (0, 5), bos=(1,), eos=(6,), prompt=(2, 4))
    assert roles == ["bos", "template", "prompt", "prompt", "template", "padding"]


@pytest.mark.parametrize(
    ("keep", "rows"),
    [
        ("full", "111111"),
        ("clean", "000000"),
        ("prompt", "111100"),
        ("prompt only", "011000"),
        ("padding", "000011"),
        ("bos", "100000"),
        ("eos", "000100"),
        ("padding 1/2", "000010"),
        ("padding 2/2", "000001"),
        (slice(1, 3), "011000"),
        (slice(None, None, 2), "101010"),
        (-1, "000001"),
        (("bos", "eos", slice(5, 6)), "100101"),
    ],
)
def test_chosen_rows(keep, rows):
    assert chosen_rows([entry("bppe..")], keep, 6) == [r == "1" for r in rows]


def test_fifths_are_counted_in_each_encoder_and_cover_the_padding():
    entries = [entry("bpe......."), entry("pe.....", start=10, name="text_encoder_3")]
    fifths = [chosen_rows(entries, f"padding {i}/5", 17) for i in range(1, 6)]
    assert [i for i, kept in enumerate(fifths[0]) if kept] == [3, 12]
    assert [i for i, kept in enumerate(fifths[4]) if kept] == [8, 9, 16]
    assert [sum(rows) for rows in zip(*fifths, strict=True)] == [
        int(k) for k in chosen_rows(entries, "padding", 17)
    ]


def test_pooled_encoder_has_no_rows():
    entries = [entry("bpe..", rows=False), entry("pe.", name="text_encoder_2")]
    assert row_roles(entries, 3) == ["prompt", "eos", "padding"]
    assert chosen_rows(entries, "padding 1/1", 3) == [False, False, True]


def test_rows_of_no_encoder_have_no_role():
    assert row_roles([entry("pe")], 4) == ["prompt", "eos", "", ""]
    assert chosen_rows([entry("pe")], "prompt", 4) == [True, True, False, False]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("bppe..", "bpppe.", "bpppe."),  # an end of one is the prompt of the other
        ("bpppe.", "bppe..", "bpppe."),
        ("bppe..", "bpppep", "bpppep"),
        ("be....", "bppe..", "bppe.."),
        ("tppe..", "bttpe.", "tpppe."),
        ("..bppe", "bppe..", "bppppe"),  # padded at different sides
        ("bpe", "bppe..", "bppe.."),  # of different lengths
        ("bppe..", "bpe", "bppe.."),
    ],
)
def test_a_shared_row_is_padding_only_where_it_is_for_each_encoder(first, second, together):
    entries = [entry(first), entry(second, name="text_encoder_2")]
    roles = list(entry(together).roles)
    assert row_roles(entries, 6) == roles
    assert [stretch.names for stretch in shared_rows(entries)] == [("text_encoder", "text_encoder_2")]
    assert chosen_rows(entries, "prompt", 6) == [role != "padding" for role in roles]
    if "." in together:
        assert chosen_rows(entries, "padding", 6) == [role == "padding" for role in roles]


def test_encoders_behind_one_another_do_not_share_rows():
    entries = [entry("bpe."), entry("bppe", name="text_encoder_2"), entry("pe.", 4, "text_encoder_3")]
    assert [stretch.rows for stretch in shared_rows(entries)] == [range(0, 4), range(4, 7)]
    assert row_roles(entries, 7) == [*entry("bppe").roles, *entry("pe.").roles]


def test_parts_of_shared_padding():
    """Rows that are padding for both, and of these the parts: all of them, each once."""
    entries = [entry("bpe......."), entry("bpppe.....", name="text_encoder_2")]
    parts = [chosen_rows(entries, f"padding {i}/5", 10) for i in range(1, 6)]
    assert [[i for i, kept in enumerate(part) if kept] for part in parts] == [[5], [6], [7], [8], [9]]


def test_no_padding_that_both_have():
    with pytest.raises(ValueError, match="the prompt fills all 4 rows and leaves no padding"):
        chosen_rows([entry("be.."), entry("bppe", name="text_encoder_2")], "padding", 4)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("paddings", "keep is 'paddings'"),
        ("padding 6/5", "goes from 1 to 5"),
        ("padding 0/5", "goes from 1 to 5"),
        ("template", "no such token"),
        (6, "row 6 is outside the text's 6 rows"),
        (slice(0, 7), "outside the text's 6 rows"),
        (slice(3, 3), "keeps none"),
        ("padding 1/5", "holds only 2 rows of padding"),
    ],
)
def test_bad_keep(keep, message):
    with pytest.raises(ValueError, match=message):
        chosen_rows([entry("bppe..")], keep, 6)


def test_no_padding_left():
    with pytest.raises(ValueError, match="the prompt fills all 4 rows and leaves no padding"):
        chosen_rows([entry("bppe")], "padding", 4)


def test_count_and_at():
    assert entry("bppe..").count("padding") == 2
    assert entry("bppe..").at("prompt") == [1, 2]
