"""Work side by side in processes."""

import os
import signal
import time

import pytest
import torch

from fouriscale_padtone.processes import last_words, side_by_side


def _square(number, progress):
    progress("squaring", 1, 2)
    return number**2, os.getpid(), torch.get_num_threads()


def _refuse(number, progress):
    raise ValueError(f"number is {number}; it is 1 or more")


def _perish(number, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def _note_and_wait(path, progress):
    path.write_text(str(os.getpid()))
    if path.name != "first":
        raise ValueError("no")
    time.sleep(600)


def test_results_in_order_each_from_its_own_process():
    told = []
    results = side_by_side(_square, {"b": (3,), "a": (2,), "c": (4,)}, 2, lambda *news: told.append(news))
    assert {name: square for name, (square, _, _) in results.items()} == {"b": 9, "a": 4, "c": 16}
    assert list(results) == ["b", "a", "c"]
    processes = {process for _, process, _ in results.values()}
    assert len(processes) == 3
    assert os.getpid() not in processes
    assert {threads for _, _, threads in results.values()} == {max(1, torch.get_num_threads() // 2)}
    assert sorted(told) == [(name, "squaring", 1, 2) for name in "abc"]


def test_a_failure_reaches_the_caller():
    with pytest.raises(ValueError, match="number is 0; it is 1 or more"):
        side_by_side(_refuse, {"a": (0,)}, 1, print)


def test_a_killed_process_is_named():
    with pytest.raises(ChildProcessError, match="the process of a was killed by SIGKILL"):
        side_by_side(_perish, {"a": (0,)}, 1, print)


def test_a_failure_ends_the_others(tmp_path):
    with pytest.raises(ValueError, match="no"):
        side_by_side(_note_and_wait, {name: (tmp_path / name,) for name in ("first", "second")}, 2, print)
    first = tmp_path / "first"
    if first.exists():  # it had begun
        with pytest.raises(ProcessLookupError):
            os.kill(int(first.read_text()), 0)


def test_last_words():
    assert last_words(-9) == "was killed by SIGKILL"
    assert last_words(3) == "ended with exit code 3"
