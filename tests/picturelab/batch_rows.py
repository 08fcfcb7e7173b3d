"""Rows of jobs files, and what a folder holds after a run."""

import json
import time
from pathlib import Path


def row(seed, prompt="a red circle on a blue background", **more):
    """A job that takes a tenth of a second."""
    return dict(prompt=prompt, size="64x64", seed=seed, steps=1) | more


def pictures(folder):
    """{name: bytes} of a folder's pictures."""
    return {path.name: path.read_bytes() for path in Path(folder).glob("*.png")}


def manifest(folder):
    """The entries of a folder's manifest as plain values, in order."""
    return [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text().splitlines()]


def until(true, seconds=300):
    """Wait for something; fails if it does not happen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
