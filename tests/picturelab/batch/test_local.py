"""Workers of this machine that hang."""

import multiprocessing
import signal
import time

import pytest

from picturelab.batch.engines.local import OneProcess, Processes
from picturelab.batch.worker import WorkerSettings


@pytest.fixture
def settings(tmp_path):
    return WorkerSettings(
        device="cpu",
        dtype="float32",
        threads=1,
        store=str(tmp_path / "out"),
        encodings=str(tmp_path / "cache"),
    )


@pytest.mark.slow
def test_a_process_that_hangs_is_killed_and_another_takes_its_place(settings):
    crew = Processes(settings, ["cpu"])
    context = multiprocessing.get_context("spawn")
    ours, _ = context.Pipe()
    process = context.Process(target=time.sleep, args=(3600,), daemon=True)
    process.start()
    crew._members[0] = process, ours
    assert crew.abandon(0)
    assert process.exitcode == -signal.SIGKILL
    assert crew.wait(0) == [], "its death is no news"
    crew.close()


def test_a_thread_cannot_be_killed(settings):
    crew = OneProcess(settings)
    assert not crew.abandon(0)
    crew.close()
