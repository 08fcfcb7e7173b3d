"""Workers of this machine that hang."""

import multiprocessing
import signal
import time

import pytest

from picturelab.batch.engines.local import OneProcess, Processes
from picturelab.batch.worker import WorkerSettings
from picturelab.remarks import Remark


@pytest.fixture
def settings(tmp_path):
    return WorkerSettings(
        device="cpu",
        dtype="float32",
        threads=1,
        store=str(tmp_path / "out"),
        encodings=str(tmp_path / "cache"),
    )


def sleeping(crew):
    """A process at place 0 that does nothing, and its end of the connection."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=time.sleep, args=(3600,), daemon=True)
    process.start()
    crew._members[0] = process, ours
    return process, theirs


@pytest.mark.slow
def test_a_process_that_hangs_is_killed_and_another_takes_its_place(settings):
    crew = Processes(settings, ["cpu"])
    process, _ = sleeping(crew)
    assert crew.abandon(0)
    assert process.exitcode == -signal.SIGKILL
    assert crew.wait(0) == [], "its death is no news"
    crew.close()


@pytest.mark.slow
def test_what_a_process_remarks_is_said_here(settings):
    crew = Processes(settings, ["cpu"])
    _, theirs = sleeping(crew)
    theirs.send("the prompt is cut")
    with pytest.warns(Remark, match="^the prompt is cut$"):
        assert crew.wait(60) == []
    crew.abandon(0)


def test_a_thread_cannot_be_killed(settings):
    crew = OneProcess(settings)
    assert not crew.abandon(0)
    crew.close()
