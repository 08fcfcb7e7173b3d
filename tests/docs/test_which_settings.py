"""The table of docs/which-settings.md is what `fouriscale explain` says."""

import pytest

from benchmarks.which_settings import BEGIN, CARDS, END, MODES, PAGE, SIZES, TITLES, row

TABLE = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip().splitlines()


def test_every_model_size_and_mode_has_a_line():
    lines = {tuple(cell.strip() for cell in line.split("|")[1:4]) for line in TABLE[2:]}
    assert lines == {
        (TITLES[preset], f"{width}x{height}", mode)
        for preset, sizes in SIZES.items()
        for height, width in sizes
        for mode in MODES
    }
    assert {line.count("|") for line in TABLE} == {len(CARDS) + 6}


@pytest.mark.slow
def test_a_line_is_what_is_said():
    assert row("sd15", 1024, 1024, "paper") in TABLE
