"""A disk that fills, and one that cannot be written: real file systems, mounted where nobody else sees them."""

import os
import subprocess
import sys

import pytest

from tests.faults.harness import files, jobs, write_jobs

_INSIDE = ["unshare", "--mount", "--map-root-user"]
_BATCH = "batch jobs.jsonl --out disk/out --cache cache --batch 4"
_RUN = f'{sys.executable} -c "from fouriscale.cli import main; main()" {_BATCH}'


def inside(script, folder):
    """Run a shell script in a name space of its own, in which it may mount."""
    if subprocess.run([*_INSIDE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small tmpfs")
    (folder / "disk").mkdir()
    done = subprocess.run(
        [*_INSIDE, "sh", "-ec", script], cwd=folder, capture_output=True, text=True, env=os.environ
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(undisturbed, tmp_path):
    _, expected, _ = undisturbed
    write_jobs(tmp_path / "jobs.jsonl", jobs(48))
    pages = sum(-(-len(content) // 4096) for content in files(expected).values())
    said = inside(
        f"""
        mount -t tmpfs -o size={pages // 2 * 4}k none disk
        code=0; {_RUN} || code=$?
        test $code -eq 1
        test -z "$(ls -A disk/out | grep part)"
        mount -o remount,size=50m disk
        {_RUN}
        cp -r disk/out after
        """,
        tmp_path,
    )
    assert "cannot be written (No space left on device); the same command goes on from here" in said
    assert "48 of 48 done, 0 failed; " in said
    assert "48 now" not in said
    assert files(tmp_path / "after") == files(expected)


def test_a_disk_that_is_full_from_the_start(tmp_path):
    write_jobs(tmp_path / "jobs.jsonl", [*jobs(1), {"id": "bad"}])
    said = inside(
        f"""
        mount -t tmpfs -o size=64k none disk
        mkdir disk/out
        head -c 128k /dev/zero > disk/fill || true
        code=0; {_RUN} --skip-bad || code=$?
        test $code -eq 2
        """,
        tmp_path,
    )
    assert "disk/out cannot be written (No space left on device)" in said
    assert "Traceback" not in said


def test_a_read_only_folder_is_refused_before_anything_is_loaded(tmp_path):
    write_jobs(tmp_path / "jobs.jsonl", jobs(1))
    said = inside(
        f"""
        mount -t tmpfs -o ro none disk
        code=0; {_RUN} || code=$?
        test $code -eq 2
        """,
        tmp_path,
    )
    assert "cannot be written (Read-only file system)" in said
