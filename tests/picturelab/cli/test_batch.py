"""The commands `batch`, `status` and `verify` as a person uses them."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from fouriscale.cli import main
from picturelab.batch.stores import Folder
from tests.picturelab.batch_rows import manifest, row


@pytest.fixture
def run(run_command, tiny_model):
    return functools.partial(run_command, main)


@pytest.fixture
def batch(run, tiny_model, jobs_file):
    def made(rows, *arguments):
        return run(
            "batch", jobs_file(rows), "--out", "out", "--model", tiny_model, "--device", "cpu", *arguments
        )

    return made


def test_a_batch_its_status_and_its_check(batch, run, tmp_path):
    code, out, err = batch([row(1), row(2)], "--sheet")
    assert code == 0
    assert out.startswith(f"2 pictures on {tmp_path}/out/sheet.png\n2 of 2 done, 0 failed; 2 now, ")
    assert "Error" not in err
    assert run("status", "out")[:2] == (0, "2 of 2 done, 0 failed, 0 left; complete\n")
    good = "2 pictures are what they were, 0 missing, 0 changed, 0 not in the manifest, 0 damaged lines\n"
    assert run("verify", "out")[:2] == (0, good)


def test_a_changed_picture_is_found_and_made_again(batch, run, tmp_path):
    batch([row(1), row(2)])
    picture = tmp_path / "out" / "2.png"
    before = picture.read_bytes()
    picture.write_bytes(before[:-1] + b"x")  # as long as before, so that only a hash tells
    code, out, _ = run("verify", "out", "--redo")
    assert code == 1
    assert out.startswith("2.png is changed\n1 pictures are what they were, 0 missing, 1 changed")
    assert [entry["status"] for entry in manifest("out")] == ["done", "done", "lost"]
    code, out, _ = batch([row(1), row(2)])
    assert (code, picture.read_bytes()) == (0, before)
    assert "2 of 2 done, 0 failed; 1 now" in out
    assert run("verify", "out")[0] == 0


def test_failed_jobs_give_exit_code_1_and_are_named(batch, run, monkeypatch):
    monkeypatch.setattr(
        "fouriscale.sampling.fitting.psutil",
        SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=2**30)),
    )
    code, _, err = batch([row(1), row(2, size="32768x32768")])
    assert code == 1
    assert err.endswith(
        f"Error: 1 jobs have no picture; `fouriscale status {Path('out').absolute()}` says why\n"
    )
    said = run("status", "out")[1]
    assert said.startswith("1 of 2 done, 1 failed, 0 left; complete\n  2: width 32768, height 32768 needs ")


def test_status_while_it_runs_and_when_it_was_killed(batch, run, tmp_path, tiny_model):
    batch([row(i) for i in range(6)], "--batch", "2")
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines(keepends=True)
    entries = [json.loads(line) for line in lines[:4]]
    for i, entry in enumerate(entries):
        entry["finished"] = 1000.0 + i  # one a second
    text = "".join(json.dumps(entry) + "\n" for entry in entries) + '{"id": "5", "sta'
    (tmp_path / "out" / "manifest.jsonl").write_text(text)
    told = (
        "4 of 6 done, 0 failed, 2 left; %s\n1.00 pictures a second lately, so 0:00:02 left\n"
        f"text encoders of {tiny_model}: let go once the texts are encoded (6 jobs)\n"
        "1 lines of the manifest are damaged and were ignored\n"
    )
    assert run("status", "out")[1] == told % "not running"
    (tmp_path / "out" / "manifest.jsonl").write_text(text)
    with Folder(tmp_path / "out").begin(wait=False):
        assert run("status", "out")[1] == told % "running"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "spark"], "engine is 'spark'; it can be local or ray"),
        (["--batch", "0"], "batch=0: must be a whole number from 1 to 1024"),
        (["--workers", "many"], "'many' is no whole number"),
        (["--address", "auto"], "address is 'auto', which is for --engine ray"),
        (["--dtype", "int8"], "unknown dtype 'int8'"),
        (["--device", "tpu"], "there is no device 'tpu' here"),
    ],
)
def test_bad_usage_is_exit_code_2(batch, arguments, said, tmp_path):
    code, out, err = batch([row(1)], *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_a_bad_file_is_told_line_by_line(batch, tmp_path):
    code, _, err = batch([row(1), {"prompt": "a", "colour": 1}, row(-1)])
    assert code == 2
    assert err.splitlines()[0] == f"Error: 2 of 3 jobs in {tmp_path}/jobs.jsonl cannot be made:"
    assert err.splitlines()[1].startswith("  line 2: there is no key 'colour'")
    assert err.splitlines()[2].startswith("  line 3: seed is -1")
    assert err.splitlines()[3:] == ["  mend them, or leave them out with --skip-bad"]
    code, out, _ = batch([row(1), {"prompt": "a", "colour": 1}], "--skip-bad")
    assert code == 1
    assert "1 of 1 done, 0 failed, 1 bad" in out


@pytest.mark.parametrize("command", ["status", "verify"])
def test_a_folder_without_a_batch(run, command, tmp_path):
    code, _, err = run(command, tmp_path / "nothing")
    assert code == 2
    assert err == f"Error: {tmp_path}/nothing holds no batch: there is no plan.json\n"
