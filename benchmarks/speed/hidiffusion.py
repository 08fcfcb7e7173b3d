"""HiDiffusion beside our modes: measured by a process of an environment that has it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import torch

from .cases import Phase
from .clock import Timing
from .measure import DIRECT, Record, rows

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".peer" / "bin" / "python"
SHAPES = ("sd15", "sdxl")
NAME = "HiDiffusion"


def row(
    python: Path, shape: str, scale: int, device: torch.device, dtype: torch.dtype, turns: int
) -> dict[str, Any]:
    """As one of our modes has it, over that process's own direct sampling.

    Args:
        python: of an environment as `benchmarks/studies/peer_hidiffusion.py` describes it.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "row.json"
        words = {
            "--shape": shape,
            "--scale": scale,
            "--device": device,
            "--dtype": str(dtype).removeprefix("torch."),
            "--turns": turns,
            "--out": file,
        }
        command = [str(python), "-m", "benchmarks.studies.peer_hidiffusion"]
        command += [str(word) for pair in words.items() for word in pair]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            return {"mode": NAME, "failure": f"exit code {done.returncode}: {last}"}
        found = json.loads(file.read_text())
    return from_peer(found["rows"][0], f"{NAME} {found['about']['hidiffusion']}")


def from_peer(found: dict[str, Any], name: str) -> dict[str, Any]:
    """A row of what the study wrote."""
    if "direct" not in found:
        return {"mode": name, "failure": "on a CPU only sd15 at 2x is timed"}
    direct = Record([Phase(1.0, 0, sum(phase["steps"] for phase in found["phases"]))])
    direct.turns = [[[Timing(*one)]] for one in found["direct"]]
    theirs = Record([Phase(1.0, phase["first_step"], phase["steps"]) for phase in found["phases"]])
    by_turn = zip(*(phase["timings"] for phase in found["phases"]), strict=True)
    theirs.turns = [[[Timing(*one)] for one in turn] for turn in by_turn]
    row = rows({DIRECT: direct, name: theirs})[1]
    return row | {"multiply_adds": found["multiply_adds"]}
