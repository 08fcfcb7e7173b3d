"""What FouriScale costs beside direct sampling: time, multiply-adds and memory, in every mode.

`python -m benchmarks.speed` measures in one process, in alternating order, and gives medians:

- the shipped model, whole pictures, at 2x and 4x its training size;
- UNets of Stable Diffusion 1.5's and SDXL's shape with random weights (weights do not matter for time), one call with
  guidance for every phase of a run; a run's time is the sum over phases of steps times the median of a call;
- one convolution of Stable Diffusion 1.5's with its filter, over the dilated one alone;
- multiply-adds of whole runs and the most feature maps alive at once, computed from shapes alone, for all of them.

What is too large for this machine is computed only, and says so. `--quick` takes about three minutes.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from .quality import PAPER, RESULTS

STEPS = 50  # of a run
MODES: dict[str, dict[str, Any] | None] = {
    "direct": None,
    "paper": PAPER,
    "fast": {"mode": "fast"},
    "paper, rows split": PAPER | {"split_rows": True},
    "fast, rows split": {"mode": "fast", "split_rows": True},
    "paper without third branch": PAPER | {"third_branch": False},
    "fast, dilated convolutions": {"mode": "fast", "convolution": "dilated"},
    "fast, full late attention": {"mode": "fast", "late_attention": "full"},
    "polyphase attention while dilated, no third branch": PAPER
    | {"attention": "polyphase", "third_branch": False},
    "decimated convolutions, no third branch": PAPER | {"convolution": "decimated", "third_branch": False},
}
_SHORT = ("direct", "paper", "fast")
SHAPES = {"shapeworld": 128, "sd15": 512, "sdxl": 1024}  # pixels of the training size


def alternating(cases: dict[Any, Callable[[], Any]], turns: int) -> dict[Any, float]:
    """The median of each case's seconds, over turns that begin with another case each."""
    seconds: dict[Any, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for turn in range(turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            begun = time.perf_counter()
            cases[name]()
            seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in seconds.items()}


def whole_pictures(scale: int, turns: int, names: tuple[str, ...]) -> dict[str, float]:
    """Seconds a picture of the shipped model, decoding included."""
    from fouriscale import FouriScaleConfig
    from fouriscale.loading.pipeline import load_pipeline
    from fouriscale.sampling.generate import generate

    pipe = load_pipeline("shapeworld/unet")
    pipe.set_progress_bar_config(disable=True)
    side = scale * SHAPES["shapeworld"]

    def picture(changes: dict[str, Any] | None) -> Any:
        config = None if changes is None else FouriScaleConfig.preset("shapeworld", **changes)
        return generate(pipe, "a large red circle", height=side, width=side, config=config)

    for name in names:
        picture(MODES[name])  # warm up
    return alternating({name: lambda c=MODES[name]: picture(c) for name in names}, turns)


def phases(config: Any, side: int) -> dict[int, tuple[int, int]]:
    """{whole dilation, 1 from `stop` on: (its first step, how many steps)} of a run of STEPS."""
    schedule = config.schedule(side, side, STEPS)
    whole = [math.ceil(schedule.at(i)) if schedule.active(i) else 1 for i in range(STEPS)]
    return {d: (whole.index(d), whole.count(d)) for d in dict.fromkeys(whole)}


def unet_call(shape: str, scale: int) -> Callable[[dict[str, Any] | None, int], None]:
    """One call of a UNet of random weights, with guidance, on (the mode's changes or None, the step's number)."""
    import torch
    from diffusers import DDIMScheduler, UNet2DConditionModel

    from fouriscale import FouriScaleConfig, fouriscale
    from fouriscale.loading.configs import unet_config, vae_scale_factor

    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_config(unet_config(shape)).eval()
    side, factor = scale * SHAPES[shape], vae_scale_factor(shape)
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(STEPS)
    half = torch.randn(1, 4, side // factor, side // factor)
    sample, text = torch.cat([half, half]), torch.randn(2, 77, unet.config.cross_attention_dim)
    extra = {}
    if unet.config.addition_embed_type == "text_time":
        extra["added_cond_kwargs"] = {"text_embeds": torch.randn(2, 1280), "time_ids": torch.zeros(2, 6)}
    # What torch sets up once is not a mode's cost; a small picture has it done.
    with torch.no_grad():
        unet(torch.randn(2, 4, 16, 16), 1, text, **extra)

    @torch.no_grad()
    def call(changes: dict[str, Any] | None, step: int) -> None:
        if changes is None:
            unet(sample, scheduler.timesteps[step], text, **extra)
            return
        config = FouriScaleConfig.preset(shape, **changes)
        with fouriscale(unet, config, scheduler=scheduler, vae_scale_factor=factor):
            unet(sample, scheduler.timesteps[step], text, **extra)

    return call


def runs(shape: str, scale: int, turns: int, names: tuple[str, ...]) -> dict[str, float]:
    """Seconds of the UNet's calls in a run, by mode, on random weights."""
    from fouriscale import FouriScaleConfig

    call = unet_call(shape, scale)
    scaled = phases(FouriScaleConfig.preset(shape), scale * SHAPES[shape])
    counts = {name: {1: (0, STEPS)} if MODES[name] is None else scaled for name in names}
    cases = {
        (name, d): lambda c=MODES[name], first=first: call(c, first)
        for name in names
        for d, (first, _) in counts[name].items()
    }
    median = alternating(cases, turns)
    return {name: sum(median[name, d] * n for d, (_, n) in counts[name].items()) for name in names}


def filter_overhead(turns: int) -> dict[str, float]:
    """Seconds of a filtered convolution over the dilated one's, by map, of Stable Diffusion 1.5 at 2x."""
    import torch
    from torch import nn

    from fouriscale.maths.convolve import dilated
    from fouriscale.maths.lowpass import LowPass, Window

    found = {}
    for channels, side in ((1280, 16), (1280, 32), (640, 64)):
        conv, x = nn.Conv2d(channels, channels, 3, padding=1), torch.randn(2, channels, side, side)
        low = LowPass.build((side, side), (side, side), Window(2.0))
        assert low is not None

        @torch.no_grad()
        def convolve(x: torch.Tensor, conv: nn.Conv2d = conv) -> torch.Tensor:
            return dilated(conv, x, conv.weight, conv.bias, 2)

        convolve(low(x))  # warm up
        cases = {
            "plain": lambda f=convolve, x=x: f(x),
            "filtered": lambda f=convolve, x=x, low=low: f(low(x)),
        }
        median = alternating(cases, 5 * turns)
        found[f"{channels} channels, {side}x{side}"] = median["filtered"] / median["plain"]
    return found


def computed(shape: str, scale: int) -> dict[str, dict[str, float]]:
    """Multiply-adds of a run, and peak of feature maps, over direct sampling's; and that peak in bf16."""
    from fouriscale import FouriScaleConfig
    from fouriscale.loading.configs import unet_config, vae_scale_factor
    from fouriscale.reports.explain import explain

    side, found = scale * SHAPES[shape], {}
    for name, changes in MODES.items():
        if changes is not None:
            config = FouriScaleConfig.preset(shape, **changes)
            told = explain(
                unet_config(shape), side, side, steps=STEPS, config=config,
                vae_scale_factor=vae_scale_factor(shape),
            )  # fmt: skip
            ours, direct = told.peak_values
            found[name] = {
                "multiply_adds": told.run_cost,
                "peak": max(ours, direct) / direct,  # the late steps need as much as direct sampling's
                "bf16_gigabytes": 2 * (max(ours, direct) + told.parameters) / 1e9,
            }
    return found


def resident(shape: str, scale: int, name: str) -> int:
    """Bytes that one call of the UNet takes beyond its weights, in a process of its own."""
    words = f"from benchmarks.speed import held; print(held({shape!r}, {scale}, {name!r}))"
    # Freed blocks go back to the system at once, so that what is seen is what is held.
    env = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", words]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout)


def held(shape: str, scale: int, name: str) -> int:
    """What the process's resident memory grows by during one call, bytes."""
    import psutil
    import torch

    from picturelab.memory import peak_memory

    call = unet_call(shape, scale)
    gc.collect()
    before = psutil.Process().memory_info().rss
    with peak_memory(torch.device("cpu")) as peak:
        call(MODES[name], 0)
    return peak.bytes - before


def to_markdown(found: dict[str, Any]) -> str:
    lines = [
        "| shape, size | mode | time, measured | multiply-adds, computed | peak memory, measured | computed |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        shown = {
            key: f"{row[key]:.2f}" if row.get(key) is not None else "not measured"
            for key in ("time", "multiply_adds", "resident", "peak")
        }
        lines.append(
            f"| {row['shape']}, {row['size']} | {row['mode']} | " + " | ".join(shown.values()) + " |"
        )
    about = "; ".join(f"{k} {v}" for k, v in found["about"].items())
    filters = "; ".join(f"{name}: {ratio:.3f}" for name, ratio in found["filters"].items())
    return "\n".join(
        [
            *lines,
            "",
            "All over direct sampling at the same size. Time: of whole pictures for shapeworld, of the UNet's calls "
            f"in a run of {STEPS} steps for the others. Peak memory: of feature maps, weights left out. "
            f"A convolution with its filter over the dilated one alone: {filters}. {about}.",
            "",
        ]
    )


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="Whole pictures of the shipped model only; writes no results.")
    ] = False,
    turns: Annotated[int, typer.Option(min=1, help="Of each case.")] = 3,
    only: Annotated[str, typer.Option(help="Shapes to time, such as shapeworld,sd15.")] = "shapeworld,sd15",
    all_modes: Annotated[
        bool, typer.Option("--all-modes", help="Time the parts of the fast mode too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
) -> None:
    """Measure time and memory against direct sampling."""
    import diffusers
    import torch

    diffusers.utils.logging.disable_progress_bar()
    timed = ("shapeworld",) if quick else tuple(only.split(","))
    unknown = set(timed) - set(SHAPES)
    if unknown:
        raise typer.BadParameter(
            f"no shape is called {', '.join(sorted(unknown))}; shapes are {', '.join(SHAPES)}"
        )
    names = tuple(MODES) if all_modes else _SHORT
    rows = []
    for shape in ("shapeworld",) if quick else SHAPES:
        for scale in (2, 4):
            seconds: dict[str, float] = {}
            # One call of SD 1.5's shape at 4x takes minutes here; --only names what else to time.
            if shape == "shapeworld":
                seconds = whole_pictures(scale, 1 if quick else turns, names)
            elif shape in timed and (scale == 2 or torch.cuda.is_available()):
                seconds = runs(shape, scale, turns, names)
            held = {}
            if shape in timed and scale == 2:
                held = {name: resident(shape, scale, name) for name in ("direct", *_MEASURED_MEMORY)}
            for mode, figures in computed(shape, scale).items():
                side = scale * SHAPES[shape]
                time_ratio = seconds[mode] / seconds["direct"] if mode in seconds else None
                row = {"shape": shape, "size": f"{side}x{side}", "mode": mode, **figures, "time": time_ratio}
                row["resident"] = held[mode] / held["direct"] if mode in held else None
                rows.append(row)
                print(json.dumps(row), flush=True)
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "date": date.today().isoformat(),
        **{name: metadata.version(name) for name in ("torch", "diffusers")},
    }
    found = {"about": about, "rows": rows, "filters": filter_overhead(turns)}
    if not quick:
        out.mkdir(parents=True, exist_ok=True)
        (out / "speed.json").write_text(json.dumps(found, indent=1) + "\n")
        (out / "speed.md").write_text(to_markdown(found))
    typer.echo(to_markdown(found))


_MEASURED_MEMORY = ("paper", "fast", "paper, rows split", "fast, rows split")

if __name__ == "__main__":
    typer.run(main)
