"""Real processes that run the real command, to be killed. They are forked from a server that has done the imports."""

import contextlib
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "fouriscale.sampling.batch",
        "padtone.runs.batch",
        "picturelab.batch.engines.choose",
        "picturelab.batch.engines.local",
        "diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion",
    ]
)
COLOURS = ("red", "green", "blue", "yellow")


def jobs(count, **more):
    """Rows of two sizes, repeated prompts and some arms; about a twentieth of a second each."""
    return [
        dict(
            id=f"j{i:03}",
            prompt=f"a {COLOURS[i % 4]} circle on a white background",
            size=("64x64", "96x64")[i % 3 == 0],
            seed=i,
            steps=2,
        )
        | ({"keep": ("full", "padding")[i % 2]} if i % 8 > 5 else {})
        | more
        for i in range(count)
    ]


def write_jobs(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@dataclass(frozen=True)
class Gate:
    """Holds a run before it paints the group with a job in it, until the test opens the gate.

    What a test does between `reached` and `open` surely comes midway, however fast or slow the machine is.
    """

    job: str
    folder: Path

    @property
    def reached(self):
        return (self.folder / "reached").exists()

    def open(self):
        (self.folder / "open").touch()

    def attach(self):
        """Put the gate up in this process."""
        from fouriscale.sampling.batch import FouriScaleInstrument

        paint = FouriScaleInstrument.paint

        def gated(instrument, pipe, jobs, encodings):
            if any(job.id == self.job for job in jobs):
                (self.folder / "reached").touch()
                until((self.folder / "open").exists)
            return paint(instrument, pipe, jobs, encodings)

        FouriScaleInstrument.paint = gated


def start(*arguments, log=os.devnull, gate=None):
    """`fouriscale batch` in a process of its own; `kill()` is kill -9."""
    words = ["batch", *map(str, arguments), "--batch", "4"]
    process = _SERVER.Process(target=_run, args=(words, str(log), gate))
    process.start()
    return process


def finish(*arguments, log=os.devnull):
    """Run it to its end; gives the exit code."""
    process = start(*arguments, log=log)
    process.join()
    return process.exitcode


def command(*arguments, **environment):
    """The command line as typed, for what cannot be forked."""
    script = "from fouriscale.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {key: str(value) for key, value in environment.items()},
    )


def _run(arguments, log, gate):
    with open(log, "a") as said, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        from fouriscale.cli import main

        locks = logging.getLogger("filelock")  # says when it waits
        locks.setLevel(logging.DEBUG)
        locks.addHandler(logging.StreamHandler(said))
        if gate is not None:
            gate.attach()
        main(arguments)


def files(folder):
    """{name: bytes} of everything that is not hidden, the manifest and the plan apart."""
    left_out = ("manifest.jsonl", "plan.json")
    return {
        path.name: path.read_bytes()
        for path in Path(folder).iterdir()
        if path.name not in left_out and not path.name.startswith(".")
    }


def parts(folder):
    return sorted(path.name for path in Path(folder).glob(".*.part"))


def entries(folder):
    """The manifest's last word on every job; lines cut short are left out."""
    path, found = Path(folder) / "manifest.jsonl", {}
    for line in path.read_text().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            found[entry["id"]] = entry
    return found


def outcome(folder):
    """What a manifest says of each job, less times and workers."""
    kept = ("status", "file", "sha256", "bytes", "group")
    return {name: [entry.get(key) for key in kept] for name, entry in entries(folder).items()}


def catches(pid, kind):
    """Whether a process has a handler of its own for a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (kind - 1) & 1)


def until(true, seconds=300):
    """Wait for something; fails if it does not happen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
