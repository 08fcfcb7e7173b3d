"""Ten hostile command lines as processes of their own: with a terminal's streams, signals, and an ordinary exit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CASES = [
    ("fouriscale", ["show", "IN/nested.png"], "carries a damaged recipe (it is nested too deeply)"),
    ("fouriscale", ["show", "IN/digits.png"], "carries a damaged recipe (Exceeds the limit"),
    ("fouriscale", ["show", "IN/double.png"], "carries a damaged recipe ('seed' stands there twice)"),
    ("fouriscale", ["show", "IN/text-bomb.png"], "text-bomb.png cannot be read ("),
    ("fouriscale", ["generate", "x", "--out", "b" * 300 + ".png"], "cannot be written (a name has 240 bytes"),
    (
        "fouriscale",
        ["generate", "x", "--steps", "1000000000000"],
        "steps=1000000000000: must be a whole number from 1",
    ),
    (
        "fouriscale",
        ["explain", "--size", "999992x999992"],
        "height=999992: must be a whole number from 8 to 32768",
    ),
    (
        "fouriscale",
        ["remake", "IN/hub.png", "--out", "a.png"],
        "scheduler config is 'owner/name': must be a mapping",
    ),
    ("fouriscale", ["page", "--port", "99999999"], "port=99999999: must be a whole number from 1 to 65535"),
    (
        "padtone",
        ["ite", "x", "--seeds", "0-99999999999"],
        "100,000,000,000 numbers; there may be 10,000 at most",
    ),
]


@pytest.mark.parametrize(("program", "words", "sentence"), CASES, ids=lambda value: str(value)[:40])
def test_one_sentence(program: str, words: list[str], sentence: str, inputs: Path, tmp_path: Path):
    line = [word.replace("IN/", f"{inputs}/") for word in words]
    done = run(program, line, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr
    assert os.listdir(tmp_path) == []


def test_who_reads_no_more_ends_it_quietly(inputs: Path, tmp_path: Path):
    script = f'{sys.executable} -c "from fouriscale.cli import main; main()" show {inputs}/good.png | true'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode in (0, 1), done.stderr) == (True, "")


def test_a_closed_and_a_full_output(inputs: Path, tmp_path: Path):
    for output, code, sentence in ((">&-", 0, ""), ("> /dev/full", 2, "(No space left on device)")):
        script = (
            f'{sys.executable} -c "from fouriscale.cli import main; main()" show {inputs}/good.png {output}'
        )
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1 if sentence else 0)
        assert sentence in done.stderr


def run(program: str, line: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from {program}.cli import main; main()", *line]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
