"""How a command ends: which errors become sentences, and which stay tracebacks."""

import json
import os
import struct

import numpy as np
import pytest
import torch
import typer

from picturelab.cli.run import complain, run, say


@pytest.fixture
def ending(capsys, monkeypatch):
    """Runs an app of one command; gives exit code, stdout and stderr."""

    def end(function):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command()(function)
        with pytest.raises(SystemExit) as stopped:
            run(app, [])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    monkeypatch.delenv("PICTURELAB_DEBUG", raising=False)
    return end


def ours(source):
    """A command whose code stands in a room of ours."""
    names = {
        "__name__": "picturelab.some_room",
        "json": json,
        "os": os,
        "struct": struct,
        "torch": torch,
        "np": np,
    }
    exec(f"def command():\n    {source}", names)
    return names["command"]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("raise ValueError('steps=0: must be more')", "steps=0: must be more"),
        ("raise TypeError('a name')", "a name"),
        ("raise ValueError('two\\nlines \\x1b[31m')", "two\\nlines \\x1b[31m"),
        ("raise ValueError('a list:\\n  of two\\n  lines')", "a list:\n  of two\n  lines"),
        (
            "json.loads('[' * 100_000)",
            "json failed (it is nested too deeply); PICTURELAB_DEBUG=1 shows where",
        ),
        (
            "json.loads('{')",
            "json failed (Expecting property name enclosed in double quotes: line 1 column 2",
        ),
        (
            "open('/none/x')",
            "/none/x cannot be used (No such file or directory); PICTURELAB_DEBUG=1 shows where",
        ),
        ("torch.empty(2**60)", "Python failed ("),
        ("struct.unpack('I', b'')", "struct failed (unpack requires a buffer of 4 bytes)"),
        ("raise MemoryError", "Python failed (it does not fit into memory)"),
        ("np.zeros(3) + np.zeros(4)", "operands could not be broadcast"),
        ("raise OSError(28, 'No space left on device')", "Python failed (No space left on device)"),
    ],
)
def test_what_is_not_our_bug_is_a_sentence(ending, source, sentence):
    code, out, err = ending(ours(source))
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}"), err
    assert err.count("\n") == 1 + sentence.count("\n")


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("assert False", AssertionError),
        ("None.steps", AttributeError),
        ("steps", NameError),
        ("{}['steps']", KeyError),
        ("[][0]", IndexError),
        ("1 / 0", ZeroDivisionError),
    ],
)
def test_a_bug_of_ours_stays_a_traceback(source, kind):
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(ours(source))
    with pytest.raises(kind):
        run(app, [])


def test_the_variable_shows_where(ending, monkeypatch):
    monkeypatch.setenv("PICTURELAB_DEBUG", "1")
    code, _, err = ending(ours("json.loads('{')"))
    assert code == 2
    assert err.startswith("Traceback (most recent call last):")
    assert "Error: json failed (" in err


def test_ctrl_c_and_exits(ending):
    assert ending(ours("raise KeyboardInterrupt")) == (130, "", "")
    assert ending(ours("raise SystemExit(3)")) == (3, "", "")


def test_nothing_steers_the_terminal(capsys):
    say("a\x1b[31m\u202e\udc80\nb\x07")
    complain("\x1b]0;title\x07")
    said = capsys.readouterr()
    assert said.out == "a\\x1b[31m\\u202e\\udc80\nb\\x07\n"
    assert said.err == "Error: \\x1b]0;title\\x07\n"


def test_a_long_sentence_is_cut(capsys):
    complain("x" * 10_000)
    assert len(capsys.readouterr().err) < 2100
