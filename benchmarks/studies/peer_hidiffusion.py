"""What HiDiffusion 0.1.10 costs beside direct sampling, on UNets of SD 1.5's and SDXL's shape with random weights.

It does not import beside the diffusers that this project needs. So this file imports nothing of the project that
needs more than torch, and runs in an environment of its own:

    python3.11 -m venv .peer
    .peer/bin/pip install torch==2.13.0 diffusers==0.27.2 hidiffusion==0.1.10 'huggingface_hub<0.26' \
        'transformers<4.46' accelerate
    .peer/bin/python -m benchmarks.studies.peer_hidiffusion

`python -m benchmarks.speed` runs it by itself where `.peer` is there. As there: calls with guidance for every phase
of a run of 50 steps, in one process, in alternating order; a run's time is the sum over phases of steps times the
median of a call. A phase is a set of steps of equal multiply-adds, which torch's counter counts on shapes alone.
On a CPU only SD 1.5's at 2x is timed, the others are counted.

The figures of `benchmarks/results/hidiffusion.json` are of 24 November 2026.
"""

import argparse
import json
import platform
import statistics
from datetime import date
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel
from hidiffusion import apply_hidiffusion, remove_hidiffusion
from torch.utils.flop_counter import FlopCounterMode

from ..speed.clock import Clock, alternating

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "fouriscale" / "loading" / "components"
STEPS = 50
SHAPES = {  # latent pixels of the training size, and what HiDiffusion knows the UNet by
    "sd15": (64, "runwayml/stable-diffusion-v1-5"),
    "sdxl": (128, "stabilityai/stable-diffusion-xl-base-1.0"),
}
DTYPES = {name: getattr(torch, name) for name in ("float32", "float16", "bfloat16")}


class Call:
    """A call of the UNet with guidance, once it is prepared for a method and a step."""

    def __init__(self, shape: str, scale: int, device: str, dtype: torch.dtype) -> None:
        side, name = SHAPES[shape]
        config = json.loads((COMPONENTS / shape / "unet" / "config.json").read_text())
        torch.manual_seed(0)
        torch.set_default_dtype(dtype)  # so that no weights are held twice
        with torch.device(device):
            self.unet = UNet2DConditionModel.from_config(config).eval()
            self.sample = torch.randn(2, 4, scale * side, scale * side)
            self.text = torch.randn(2, 77, config["cross_attention_dim"])
            self.timestep = torch.tensor(999)
            self.extra = {}
            if config.get("addition_embed_type") == "text_time":
                added = {"text_embeds": torch.randn(2, 1280), "time_ids": torch.zeros(2, 6)}
                self.extra["added_cond_kwargs"] = added
        torch.set_default_dtype(torch.float32)
        self.unet.name_or_path = name
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
        self.unet(self.sample, self.timestep, self.text, **self.extra)

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


def counted(shape: str, scale: int) -> dict:
    """The phases of a run, and what each costs over a direct call."""
    call = Call(shape, scale, "meta", torch.float32)
    direct = multiply_adds(call, "direct", 0)
    costs = [multiply_adds(call, "hidiffusion", step) / direct for step in range(STEPS)]
    side = 8 * scale * SHAPES[shape][0]
    phases = [
        {"first_step": costs.index(cost), "steps": costs.count(cost), "multiply_adds": cost}
        for cost in dict.fromkeys(costs)
    ]
    row = {"shape": shape, "size": f"{side}x{side}", "multiply_adds": sum(costs) / STEPS, "time": None}
    return row | {"phases": phases}


def time_phases(row: dict, scale: int, turns: int, device: str, dtype: torch.dtype) -> None:
    """Each phase's timings and a direct call's into the row: [seconds, seconds of Python or null] by turn."""
    call = Call(row["shape"], scale, device, dtype)
    cases = [("direct", 0)] + [("hidiffusion", phase["first_step"]) for phase in row["phases"]]
    timings = alternating(
        dict.fromkeys(cases, call), turns, Clock(torch.device(device)), lambda case: call.prepare(*case)
    )
    listed = {case: [[t.seconds, t.host_seconds] for t in timings[case]] for case in cases}
    row["direct"] = listed["direct", 0]
    for phase in row["phases"]:
        phase["timings"] = listed["hidiffusion", phase["first_step"]]
        phase["time"] = _median(phase["timings"]) / _median(row["direct"])
    row["time"] = sum(phase["steps"] * phase["time"] for phase in row["phases"]) / STEPS


def _median(timings: list[list[float]]) -> float:
    return statistics.median(seconds for seconds, _ in timings)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time HiDiffusion against direct sampling.")
    parser.add_argument("--turns", type=int, default=3, help="of each case; 0 counts only")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="both, if left out")
    parser.add_argument(
        "--scale", type=int, action="append", help="times the training size; 2 and 4, if left out"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "hidiffusion.json")
    given = parser.parse_args()

    rows = []
    for shape in given.shape or SHAPES:
        for scale in given.scale or (2, 4):
            row = counted(shape, scale)
            if given.turns and (given.device != "cpu" or (shape, scale) == ("sd15", 2)):
                time_phases(row, scale, given.turns, given.device, DTYPES[given.dtype])
            rows.append(row)
            print(json.dumps(row), flush=True)
    where = f"{platform.machine()}, {torch.get_num_threads()} threads"
    if given.device != "cpu":
        where = torch.cuda.get_device_name(given.device)
    about = {
        "machine": where,
        "dtype": given.dtype,
        "date": date.today().isoformat(),
        **{name: metadata.version(name) for name in ("torch", "diffusers", "hidiffusion")},
    }
    given.out.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
