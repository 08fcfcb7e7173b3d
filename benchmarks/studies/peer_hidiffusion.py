"""What HiDiffusion 0.1.10 costs beside direct sampling, on a UNet of Stable Diffusion 1.5's shape with random weights.

It does not import beside the diffusers that this project needs, so this file imports nothing of the project and runs
in an environment of its own:

    python3.11 -m venv .peer
    .peer/bin/pip install torch==2.13.0 diffusers==0.27.2 hidiffusion==0.1.10 'huggingface_hub<0.26' \
        'transformers<4.46' accelerate
    .peer/bin/python benchmarks/peer_hidiffusion.py

As `benchmarks.speed` does: one call with guidance for every phase of a run of 50 steps, in one process, in alternating
order; a run's time is the sum over phases of steps times the median of a call. A phase is a set of steps of equal
multiply-adds, which torch's counter counts on shapes alone. 4x is counted, not timed.
"""

import argparse
import json
import platform
import statistics
import time
from datetime import date
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel
from hidiffusion import apply_hidiffusion, remove_hidiffusion
from torch.utils.flop_counter import FlopCounterMode

HERE = Path(__file__).parent
CONFIG = HERE.parent / "fouriscale" / "loading" / "components" / "sd15" / "unet" / "config.json"
STEPS = 50
NAME = "runwayml/stable-diffusion-v1-5"  # what HiDiffusion asks for


class Call:
    """A call of the UNet with guidance, once it is prepared for a method and a step."""

    def __init__(self, scale: int, device: str) -> None:
        torch.manual_seed(0)
        with torch.device(device):
            self.unet = UNet2DConditionModel.from_config(json.loads(CONFIG.read_text())).eval()
            side = scale * 64
            self.sample, self.text = torch.randn(2, 4, side, side), torch.randn(2, 77, 768)
        self.unet.name_or_path = NAME
        self.patched = False

    def prepare(self, name: str, step: int) -> None:
        """Apply or remove HiDiffusion, and set its count of calls."""
        if (name == "hidiffusion") != self.patched:
            self._switch()
        for module in self.unet.modules():
            if hasattr(module, "timestep"):
                module.timestep = step

    @torch.no_grad()
    def __call__(self) -> None:
        self.unet(self.sample, torch.tensor(999), self.text)

    def _switch(self) -> None:
        if self.patched:
            remove_hidiffusion(self.unet)
            self.unet.num_upsamplers -= 12  # which removing leaves behind
        else:
            apply_hidiffusion(self.unet)
            self.unet.info["pipeline"] = SimpleNamespace(_num_timesteps=STEPS)
        self.patched = not self.patched


def multiply_adds(call: Call, name: str, step: int) -> float:
    call.prepare(name, step)
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Time HiDiffusion against direct sampling.")
    parser.add_argument("--turns", type=int, default=3, help="of each case; 0 counts only")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "hidiffusion.json")
    given = parser.parse_args()

    rows = []
    for scale in (2, 4):
        shapes = Call(scale, "meta")
        direct = multiply_adds(shapes, "direct", 0)
        costs = [multiply_adds(shapes, "hidiffusion", step) / direct for step in range(STEPS)]
        row = {"size": f"{scale * 512}x{scale * 512}", "multiply_adds": sum(costs) / STEPS, "time": None}
        row["phases"] = [
            {"first_step": costs.index(cost), "steps": costs.count(cost), "multiply_adds": cost}
            for cost in dict.fromkeys(costs)
        ]
        if scale == 2 and given.turns:
            time_phases(row, given.turns)
        rows.append(row)
        print(json.dumps(row), flush=True)
    about = {
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "date": date.today().isoformat(),
        **{name: metadata.version(name) for name in ("torch", "diffusers", "hidiffusion")},
    }
    given.out.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


def time_phases(row: dict, turns: int) -> None:
    """Each phase's seconds over a direct call's, medians, into the row."""
    call = Call(2, "cpu")
    cases = [("direct", 0)] + [("hidiffusion", phase["first_step"]) for phase in row["phases"]]
    seconds = {case: [] for case in cases}
    with torch.no_grad():
        call.unet(torch.randn(2, 4, 16, 16), torch.tensor(999), call.text)  # what torch sets up once
    for turn in range(turns):
        for case in cases[turn % len(cases) :] + cases[: turn % len(cases)]:
            call.prepare(*case)
            begun = time.perf_counter()
            call()
            seconds[case].append(time.perf_counter() - begun)
    direct = statistics.median(seconds["direct", 0])
    for phase in row["phases"]:
        phase["time"] = statistics.median(seconds["hidiffusion", phase["first_step"]]) / direct
    row["time"] = sum(phase["steps"] * phase["time"] for phase in row["phases"]) / STEPS
    row["direct_call_seconds"] = direct


if __name__ == "__main__":
    main()
