"""The command that starts the page: what it refuses in one sentence. What it serves is tested with a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from fouriscale.cli import main
from picturelab import extras

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--max-pixels", 0), "max-pixels=0: must be a whole number from 64 to 1073741824"),
        (("--max-waiting", 0), "max-waiting=0: must be a whole number from 1 to 10000"),
        (("--max-per-address", 0), "max-per-address=0: must be a whole number from 1 to 10000"),
        (("--max-disk", -1), "max-disk=-1: must be a whole number from 1 to 1000000000"),
        (
            ("--max-disk-per-visitor", 0),
            "max-disk-per-visitor=0: must be a whole number from 1 to 1000000000",
        ),
        (("--behind-proxy", "*"), "behind-proxy is '*'; it is an address or a network"),
        (("--behind-proxy", "127.0.0.1, proxy"), "behind-proxy is 'proxy'; it is an address or a network"),
        (("--model", "no/such/folder"), "there is no model 'no/such/folder'"),
        (("--port", "x"), "Invalid value for '--port'"),
    ],
)
def test_bad_options_are_one_sentence(run_command, words, sentence):
    code, out, err = run_command(main, "page", *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert err.count("\n") == 1


def test_without_gradio_it_names_the_extra(run_command, monkeypatch):
    find_spec = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "gradio" else find_spec(name))
    code, _, err = run_command(main, "page")
    assert code == 2
    assert err == f"Error: fouriscale page needs gradio: {extras.brings('app')}\n"


def test_app_py_is_the_same_command():
    process = subprocess.run(
        [sys.executable, ROOT / "app.py", "--max-pixels", "0"], capture_output=True, text=True, cwd=ROOT
    )
    assert process.returncode == 2
    assert process.stderr == "Error: max-pixels=0: must be a whole number from 64 to 1073741824\n"
