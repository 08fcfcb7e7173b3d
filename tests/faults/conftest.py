"""What the fault tests share: an undisturbed run to compare with, and an instrument that fails on demand."""

import os
import time
from pathlib import Path

import pytest

from tests.faults.harness import Gate, finish, jobs, write_jobs


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """(jobs file, folder, seconds) of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path = write_jobs(folder / "jobs.jsonl", jobs(48))
    finish(path, "--out", folder / "first")  # the server does its imports meanwhile
    begin = time.monotonic()
    assert finish(path, "--out", folder / "out") == 0
    return path, folder / "out", time.monotonic() - begin


@pytest.fixture
def gate(tmp_path_factory):
    """A gate in the midst of 48 jobs: five of twelve groups are planned before its own. Opened in the end."""
    made = Gate("j020", tmp_path_factory.mktemp("gate"))
    yield made
    made.open()


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    """A PYTHONPATH with FouriScale's instrument replaced by one that can wait and can be deadly.

    A worker that has painted a group waits before the next until the file GATE of its environment is there.
    """
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.py").write_text(
        "import os, signal, time\n"
        "from fouriscale.sampling import batch\n\n"
        "class Batch(batch.FouriScaleInstrument):\n"
        "    painted = 0\n\n"
        "    def paint(self, pipe, jobs, encodings):\n"
        "        while Batch.painted and not os.path.exists(os.environ['GATE']):\n"
        "            time.sleep(0.01)\n"
        "        if any(job.negative_prompt == 'kill' and 'killer' in job.id for job in jobs):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        Batch.painted += 1\n"
        "        return super().paint(pipe, jobs, encodings)\n"
    )
    about = folder / "faulty-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 0\n")
    (about / "entry_points.txt").write_text("[picturelab.instruments]\nfouriscale = faulty:Batch\n")
    return os.pathsep.join([str(folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
