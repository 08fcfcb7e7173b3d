"""What a step takes each picture, by how many are made at once: the shipped models, sampled directly on this machine.

`python -m benchmarks.batch_sizes` writes `batch_sizes.json` and `batch_sizes.md`. Whole runs to latents are timed, so
that the scheduler and the pipeline's own work count, and numbers of pictures take turns. The least of the turns stands
for a number: whatever else a machine does only adds to it. On a CPU that others use too, one thread's processor time
tells more: `OMP_NUM_THREADS=1 python -m benchmarks.batch_sizes --processor-time`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from fouriscale.reports.batch_words import PICTURES
from picturelab import worlds
from picturelab.bounds import shown
from picturelab.models import choose_dtype, load_pipeline, usual_call

from .quality import RESULTS
from .sections import Sections, numbers
from .speed.circumstances import about, chosen_device
from .speed.clock import Clock, Timing, alternating

PROMPT = "a large red circle on a blue background"
STEPS = 3  # of each run
_KEY = ("device", "dtype", "model", "side")
_MULTIPLE = 16  # of sides, which all shipped models take

console = Console(stderr=True)


def models() -> list[str]:
    """All shipped ones that sample."""
    return [f"{world}/{name}" for world, content in worlds.worlds().items() for name in content.models()]


def run(pipe: Any, model: str, side: int, pictures: int) -> Callable[[], None]:
    """What makes so many pictures at once, up to their latents."""
    call = usual_call(model) | dict(
        height=side,
        width=side,
        num_inference_steps=STEPS,
        num_images_per_prompt=pictures,
        output_type="latent",
    )

    def work() -> None:
        noise = [torch.Generator().manual_seed(seed) for seed in range(pictures)]
        pipe(PROMPT, generator=noise, **call)

    return work


def processor_time(work: Callable[[], Any]) -> Timing:
    """What it takes of the processor, in all threads: a clock for a CPU that others use too."""
    begun = time.process_time()
    work()
    return Timing(time.process_time() - begun)


def rows(timings: dict[int, list[Timing]]) -> list[dict[str, Any]]:
    """By number of pictures: seconds of a step for each of them, and how many times as fast that is as alone."""
    least = {count: min(one.seconds for one in several) / STEPS / count for count, several in timings.items()}
    return [
        {"pictures": count, "seconds": seconds, "gain": least[min(least)] / seconds}
        for count, seconds in least.items()
    ]


def to_markdown(sections: list[dict[str, Any]]) -> str:
    lines = ["# A step of several pictures at once", ""]
    lines += [
        "`python -m benchmarks.batch_sizes` wrote this: ms of a step for each picture, and how many times as fast that "
        "is as one picture at a time.",
        "",
    ]
    counts = sorted({row["pictures"] for section in sections for row in section["rows"]})
    lines.append(
        f"| model | pixels a side | {' | '.join(f'{count} at once' for count in counts)} | measured |"
    )
    lines.append("|---" * (len(counts) + 3) + "|")
    for section in sections:
        cells = {
            row["pictures"]: f"{1000 * row['seconds']:.3g} ({row['gain']:.2f}x)" for row in section["rows"]
        }
        told = f"{section['device']}, {section['dtype']}, {section['date']}, commit {section['commit']}"
        told += ", processor time" if section.get("processor_time") else ""
        figures = " | ".join(cells.get(count, "") for count in counts)
        lines.append(f"| {section['model']} | {section['side']} | {figures} | {told} |")
    return "\n".join(lines) + "\n"


def check_clock(processor: bool, device: torch.device) -> None:
    """Refuse processor time where it is not the time that work takes.

    Raises:
        ValueError: on a GPU, or in several threads.
    """
    threads = torch.get_num_threads()
    if processor and (device.type != "cpu" or threads > 1):
        raise ValueError(
            f"--processor-time on {device.type} with {threads} threads: it is for one thread on a CPU, as with "
            "OMP_NUM_THREADS=1"
        )


def main(
    model: Annotated[str, typer.Option(help="One of the shipped models; all if left out.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    dtype: Annotated[str, typer.Option(help="bfloat16, float16 or float32.")] = "float32",
    side: Annotated[str, typer.Option(help="Pixels a side.")] = "128,256",
    pictures: Annotated[str, typer.Option(help="Numbers of pictures at once.")] = ",".join(
        map(str, PICTURES)
    ),
    turns: Annotated[int, typer.Option(min=1, max=1000, help="Of each number.")] = 5,
    processor: Annotated[
        bool, typer.Option("--processor-time", help="Of one thread, on a CPU that others use too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The folder of batch_sizes.json and batch_sizes.md.")] = RESULTS,
) -> None:
    """Time steps by the number of pictures that are made at once."""
    try:
        names = [name for name in models() if model in ("", name)]
        if not names:
            raise ValueError(f"no shipped model is called {shown(model)}; there are {', '.join(models())}")
        where = chosen_device(device)
        check_clock(processor, where)
        kind = choose_dtype(dtype, where)
        sides = numbers(side, "--side", "height", _MULTIPLE)
        counts = sorted(numbers(pictures, "--pictures", "batch"))
        sections = Sections(out, "batch_sizes", _KEY, to_markdown)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    clock: Any = processor_time if processor else Clock(where)
    for name in names:
        pipe: Any = load_pipeline(name, device=device, dtype=dtype)
        pipe.set_progress_bar_config(disable=True)
        for pixels in sides:
            console.print(f"{name}, {pixels} pixels a side")
            cases = {count: run(pipe, name, pixels, count) for count in counts}
            timings = alternating(cases, turns, clock)
            section = {"model": name, "side": pixels, **about(where, kind), "turns": turns}
            section |= {"processor_time": processor, "rows": rows(timings)}
            sections.keep(section)
    typer.echo(sections.markdown)


if __name__ == "__main__":
    typer.run(main)
