"""What visitors are told of errors: sentences of ours, and nothing of the machine."""

import json
import sys
import tempfile
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from picturelab_ui.errors import hide, sentence, without_paths


def raised(work):
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def refuse(text):
    raise ValueError(text)


def test_our_own_sentences_stay_without_a_full_stop():
    assert sentence(raised(lambda: refuse("steps=0: must be at least 1."))) == "steps=0: must be at least 1"


@pytest.mark.parametrize(
    "work",
    [
        lambda: json.loads("{"),
        lambda: {}["x"],
        lambda: Path("/no/such").read_text(),
        lambda: TypeAdapter(int).validate_python(
            "such"
        ),  # both are ValueErrors that no library's file raises
        lambda: b"\xff".decode(),
    ],
)
def test_errors_of_libraries_are_told_by_a_number_that_the_log_holds(work, caplog):
    text = sentence(raised(work))
    (record,) = caplog.records
    assert f"as number {record.args[0]} in its log" in text
    assert "such" not in text
    assert record.exc_info[1] is not None


@pytest.mark.parametrize(
    "folder",
    [Path.cwd(), Path.home(), Path(tempfile.gettempdir()), Path(sys.prefix), Path("/srv/host/output")],
)
def test_files_of_this_machine_stand_by_their_names(folder):
    hide("/srv/host/output")
    text = sentence(raised(lambda: refuse(f"'{folder}/deep/a.png' cannot be written (no space in {folder})")))
    assert text == f"'a.png' cannot be written (no space in {folder.name})"


def test_what_a_visitor_typed_stays():
    for text in ("this page does not load '/etc'", "size 3/4 and a/b", "http://example.org/a"):
        assert without_paths(text) == text


def test_sentences_are_short_and_steer_no_terminal():
    text = sentence(raised(lambda: refuse("\x1b[2J" + "x" * 5000)))
    assert text.startswith("\\x1b[2J")
    assert len(text) == 1000
