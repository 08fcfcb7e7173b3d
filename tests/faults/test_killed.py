"""kill -9, SIGTERM, Ctrl-C and a second run: nothing is lost, and nothing differs."""

import os
import random
import signal
import time

import pytest

from tests.faults.harness import catches, entries, files, finish, outcome, parts, start
from tests.waiting import until

FOLDERS, KILLS = 5, 4


@pytest.mark.parametrize("seed", range(FOLDERS))
def test_kill_9_at_random_moments(undisturbed, tmp_path, seed):
    """Twenty kills in all, four a folder, anywhere between the start and the end of a run."""
    path, expected, seconds = undisturbed
    moments = random.Random(seed)
    for _ in range(KILLS):
        process = start(path, "--out", tmp_path)
        time.sleep(moments.uniform(0.2, seconds))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
    assert finish(path, "--out", tmp_path) == 0
    assert files(tmp_path) == files(expected)
    assert outcome(tmp_path) == outcome(expected)
    assert parts(tmp_path) == []


@pytest.mark.parametrize(("kind", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_finishes_what_is_in_hand(undisturbed, gate, tmp_path, kind, code):
    path, expected, _ = undisturbed
    process = start(path, "--out", tmp_path, log=tmp_path / ".log", gate=gate)
    until(lambda: gate.reached)
    os.kill(process.pid, kind)
    until(
        lambda: not catches(process.pid, kind)
    )  # the first one has arrived: a second would be obeyed at once
    gate.open()
    process.join()
    assert process.exitcode == code
    made = entries(tmp_path)
    assert gate.job in made, "it was being sampled"
    assert len(made) < 48
    assert len(made) % 4 == 0, "groups are finished"
    assert parts(tmp_path) == []
    assert files(tmp_path) == {
        name: content for name, content in files(expected).items() if name[:-4] in made
    }
    assert (
        f"Stopped: {48 - len(made)} jobs are left; the same command makes them"
        in (tmp_path / ".log").read_text()
    )
    assert finish(path, "--out", tmp_path) == 0
    assert files(tmp_path) == files(expected)


def test_of_two_runs_on_a_folder_the_second_refuses_or_waits(undisturbed, gate, tmp_path):
    path, expected, _ = undisturbed
    first = start(path, "--out", tmp_path, gate=gate)
    until(lambda: gate.reached)
    assert finish(path, "--out", tmp_path, log=tmp_path / ".second") == 2
    assert (
        f"is in use by {os.uname().nodename}:{first.pid}; wait for it" in (tmp_path / ".second").read_text()
    )
    (tmp_path / ".third").touch()
    waiting = start(path, "--out", tmp_path, "--wait", log=tmp_path / ".third")
    until(lambda: "waiting" in (tmp_path / ".third").read_text())  # filelock says so
    gate.open()
    first.join()
    waiting.join()
    assert (first.exitcode, waiting.exitcode) == (0, 0)
    assert files(tmp_path) == files(expected)
    assert "48 of 48 done, 0 failed: " in (tmp_path / ".third").read_text()


def test_a_jobs_file_rewritten_in_place_while_it_runs(undisturbed, gate, tmp_path):
    path, expected, _ = undisturbed
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_bytes(path.read_bytes())
    process = start(jobs, "--out", tmp_path / "out", gate=gate)
    until(lambda: gate.reached)
    with jobs.open("r+") as file:  # in place, as `cp` does
        file.write(path.read_text().replace("circle", "square"))
    gate.open()
    process.join()
    assert process.exitcode == 0
    assert files(tmp_path / "out") == files(expected)


def test_half_a_picture_half_a_line_and_half_a_plan(undisturbed, gate, tmp_path):
    path, expected, _ = undisturbed
    process = start(path, "--out", tmp_path, gate=gate)
    until(lambda: len(entries(tmp_path)) >= 8)
    process.kill()
    process.join()
    manifest = tmp_path / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    *_, last = entries(tmp_path).values()
    manifest.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])
    content = (tmp_path / last["file"]).read_bytes()
    (tmp_path / last["file"]).write_bytes(content[: len(content) // 2])
    first = next(iter(entries(tmp_path).values()))
    (tmp_path / first["file"]).write_bytes(b"")
    (tmp_path / ".j047.png.abcd.part").write_bytes(b"half")
    os.truncate(tmp_path / "plan.json", 30)
    assert finish(path, "--out", tmp_path) == 0
    assert files(tmp_path) == files(expected)
    assert outcome(tmp_path) == outcome(expected)
    assert parts(tmp_path) == []
