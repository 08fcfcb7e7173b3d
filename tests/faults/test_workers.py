"""Workers that die: killed from outside, or by a job; on this machine and on a local Ray cluster of two."""

import os
import signal

import pytest

from tests.faults.harness import command, entries, files, finish, jobs, until, write_jobs

ENGINES = {"local": ["--workers", "2"], "ray": ["--engine", "ray", "--workers", "2"]}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Jobs, one of which can kill its worker, and the folder of a run in which it did not."""
    folder = tmp_path_factory.mktemp("many")
    rows = jobs(44, negative_prompt="kill")
    rows[21]["id"] = "killer"
    path = write_jobs(folder / "jobs.jsonl", rows)
    assert finish(path, "--out", folder / "out", "--threads", "1") == 0
    return path, folder / "out"


@pytest.fixture
def run(faulty):
    """Starts a batch with the faulty instrument; it does not outlive its test."""
    begun = []

    def started(engine, path, out, **environment):
        words = ("batch", path, "--out", out, "--batch", "4", "--threads", "1", *ENGINES[engine])
        begun.append(command(*words, PYTHONPATH=faulty, **environment))
        return begun[-1]

    yield started
    for process in begun:
        if process.poll() is None:
            process.kill()
            process.communicate()


def worker_of(out):
    """The process that made the first picture."""
    return int(next(iter(entries(out).values()))["worker"].split(":")[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_killed_midway_and_a_job_that_kills(many, run, tmp_path, engine):
    path, expected = many
    out = tmp_path / "out"
    process = run(engine, path, out, GATE=tmp_path / "open")
    until(lambda: entries(out))
    victim = worker_of(out)
    assert victim != process.pid
    os.kill(victim, signal.SIGKILL)  # with two more groups in hand, and none of them painted
    (tmp_path / "open").touch()
    said, _ = process.communicate()
    assert process.returncode == 1, said
    assert "43 of 44 done, 1 failed" in said
    assert entries(out)["killer"]["status"] == "failed"
    assert entries(out)["killer"]["error"].startswith("set aside: its worker died 2 times (")
    assert len({entry["worker"] for entry in entries(out).values() if entry["status"] == "done"}) >= 2
    wanted = files(expected)
    del wanted["killer.png"]
    assert files(out) == wanted


def test_workers_do_not_outlive_their_parent(many, run, tmp_path):
    path, _ = many
    process = run("local", path, tmp_path / "out", GATE=tmp_path / "never")
    until(lambda: entries(tmp_path / "out"))
    worker = worker_of(tmp_path / "out")
    process.kill()
    process.communicate()
    # It has work in hand that it cannot finish, so it ends for no other reason.
    until(lambda: not os.path.exists(f"/proc/{worker}") or _is_zombie(worker))


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "Z"
