"""The command that starts the page: what it refuses in one sentence. What it serves is tested with a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from fouriscale.cli import main
from picturelab import extras
from picturelab_ui.host import NO_LIMIT

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
        (("--models", "no/such/folder"), "models='no/such/folder': must be a folder that exists"),
        (("--port", "x"), "Invalid value for '--port'"),
    ],
)
def test_bad_options_are_one_sentence(run_command, words, sentence):
    code, out, err = run_command(main, "page", *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "is_public"),
    [
        ((), False),
        (("--host", "localhost"), False),
        (("--host", "0.0.0.0"), True),
        (("--public",), True),
        (("--share",), True),
        (("--behind-proxy", "127.0.0.1"), True),
    ],
)
def test_limits_are_a_public_pages(run_command, monkeypatch, tmp_path, words, is_public):
    served = []
    monkeypatch.setattr("picturelab_ui.page.launch", lambda host, **where: served.append(host))
    run_command(main, "page", "--output", tmp_path, *words)
    (host,) = served
    assert (host.public, host.any_model) == (is_public, not is_public)
    assert host.max_pixels == (2048 * 2048 if is_public else None)
    assert (host.max_disk, host.max_disk_per_visitor) == (
        (2 * 10**9, 2 * 10**8) if is_public else (NO_LIMIT,) * 2
    )


def test_limits_can_be_chosen_on_any_machine(run_command, monkeypatch, tmp_path):
    served = []
    monkeypatch.setattr("picturelab_ui.page.launch", lambda host, **where: served.append(host))
    run_command(main, "page", "--output", tmp_path, "--max-pixels", 4096, "--max-disk", 7)
    run_command(main, "page", "--output", tmp_path, "--public", "--allow-any-model")
    own, public = served
    assert (own.public, own.max_pixels, own.max_disk) == (False, 4096, 7 * 10**6)
    assert (public.any_model, public.max_pixels) == (True, 2048 * 2048)


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
