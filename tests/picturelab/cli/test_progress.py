"""Progress where nobody watches: a line for each tenth, with the time that is left."""

import pytest

from picturelab.cli import progress


@pytest.fixture
def lines(monkeypatch, capsys):
    """Progress given as (seconds, done), of 100 pieces, and the lines on stderr."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])

    def told(*given):
        with progress.stage_bars() as update:
            for clock[0], done in given:
                update("pictures", done, 100)
        return capsys.readouterr().err.splitlines()

    return told


def test_a_line_for_each_tenth_with_what_is_left(lines):
    assert lines((0, 0), (4, 5), (8, 10), (9, 11), (400, 100)) == [
        "pictures: 0 of 100",
        "pictures: 10 of 100 after 8.0 s, about 72 s left",
        "pictures: 100 of 100 after 7 min",
    ]


def test_what_a_killed_run_made_took_no_time(lines):
    assert lines((0, 80), (10, 90)) == [
        "pictures: 80 of 100",
        "pictures: 90 of 100 after 10 s, about 10 s left",
    ]


def test_everything_was_there_already(lines):
    assert lines((0, 100)) == ["pictures: 100 of 100"]
