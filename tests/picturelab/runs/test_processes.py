"""Work side by side in processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from picturelab.remarks import Remark
from picturelab.runs.processes import last_words, side_by_side


class _AwkwardError(Exception):
    """It pickles, and does not come back."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def _square(number, progress):
    progress("squaring", 1, 2)
    warnings.warn(f"{number} is odd", Remark, stacklevel=1)
    return number**2, os.getpid(), torch.get_num_threads()


def _refuse(number, progress):
    raise ValueError(f"number is {number}; it is 1 or more")


def _stumble(progress):
    raise _AwkwardError("one", "two")


def _perish(progress):
    os.kill(os.getpid(), signal.SIGKILL)


def _note_and_wait(path, progress):
    path.write_text(f"{os.getpid()}\n")
    time.sleep(600)


def _wait_or_fail(path, fails, progress):
    if not fails:
        _note_and_wait(path, progress)
    _process_in(path)
    raise ValueError("no")


def _process_in(path):
    """The number of the process that writes the file, as soon as it is there."""
    until = time.monotonic() + 120
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < until, f"{path} does not come"
        time.sleep(0.05)
    return int(path.read_text())


def _ends(process):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.05)
                continue
        return True
    return False


def _waiting_run(path):
    """A program that has one process waiting: itself, and that process's number."""
    words = f"""
import signal
from pathlib import Path
from picturelab.runs.processes import side_by_side
from tests.picturelab.runs import test_processes
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job would ignore
    list(side_by_side(test_processes._note_and_wait, {{"a": (Path({str(path)!r}),)}}, 1, print))
"""
    script = path.with_name("run.py")
    script.write_text(words)
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.Popen(
        [sys.executable, script], env=env, stderr=subprocess.DEVNULL, start_new_session=True
    )
    return run, _process_in(path)


@pytest.mark.slow
def test_each_from_its_own_process():
    told = []
    with pytest.warns(Remark) as remarks:
        results = dict(side_by_side(_square, {"b": (3,), "a": (5,), "c": (7,)}, 2, lambda *n: told.append(n)))
    assert {name: square for name, (square, _, _) in results.items()} == {"b": 9, "a": 25, "c": 49}
    processes = {process for _, process, _ in results.values()}
    assert len(processes) == 3
    assert os.getpid() not in processes
    assert {threads for _, _, threads in results.values()} == {1}
    assert sorted(told) == [(name, "squaring", 1, 2) for name in "abc"]
    assert sorted(str(r.message) for r in remarks) == ["a: 5 is odd", "b: 3 is odd", "c: 7 is odd"]


@pytest.mark.slow
def test_a_failure_reaches_the_caller_with_where_it_was():
    with pytest.raises(ValueError, match=r"^number is 0; it is 1 or more\n") as failure:
        list(side_by_side(_refuse, {"a": (0,)}, 1, print))
    (note,) = failure.value.__notes__
    assert note.startswith("In the process of a:")
    assert "in _refuse" in note


@pytest.mark.slow
def test_a_failure_that_cannot_travel_is_told_in_words():
    with pytest.raises(RuntimeError, match=r"^_AwkwardError: one and two\n"):
        list(side_by_side(_stumble, {"a": ()}, 1, print))


@pytest.mark.slow
def test_a_killed_process_is_named():
    with pytest.raises(ChildProcessError, match=r"^the process of a was killed by SIGKILL$"):
        list(side_by_side(_perish, {"a": ()}, 1, print))


@pytest.mark.slow
def test_a_failure_ends_the_others(tmp_path):
    first = tmp_path / "first"
    with pytest.raises(ValueError, match="no"):
        list(side_by_side(_wait_or_fail, {"first": (first, False), "second": (first, True)}, 2, print))
    assert _ends(_process_in(first))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_parent(how, tmp_path):
    run, process = _waiting_run(tmp_path / "first")
    with run:
        if how == signal.SIGINT:
            os.killpg(run.pid, how)  # as Ctrl-C in a terminal
        else:
            run.kill()
    assert _ends(process)


def test_last_words():
    assert last_words(-9) == "killed by SIGKILL"
    assert last_words(3) == "ended with exit code 3"
