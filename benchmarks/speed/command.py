"""The command: which shapes, sizes and modes are measured on which device, and where the tables go.

What is measured, in turns that begin with another mode each, after calls that are not timed:

- calls with guidance of UNets of the shapes of Stable Diffusion 1.5 and SDXL with random weights, one for every phase
  of a run, and of the shipped model's;
- whole pictures: the shipped model's, with `--pictures` also of the other shapes, text encoder and VAE included;
- HiDiffusion beside them, where an environment of its own has it: see `benchmarks/studies/peer_hidiffusion.py`;
- a convolution with its filter over the dilated one alone.

Multiply-adds and the most feature maps alive at once are computed from shapes where a CPU is measured: of all shapes at
2x and 4x unless `--only` or `--scale` name some.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from picturelab.bounds import shown
from picturelab.models import choose_dtype

from ..quality import RESULTS
from . import hidiffusion, results
from .cases import MODES, PARTS, SHAPES, Changes, Shape
from .circumstances import about, chosen_device
from .clock import Clock
from .computed import computed, filter_overhead
from .measure import DIRECT, measure, rows
from .memory import resident
from .results import CALLS, PICTURES
from .subjects import UNetCalls, whole_pictures

SHIPPED = "shapeworld"
_SCALES = (2, 4)
_LARGEST_SCALE = 8
_CALLS_ON_A_GPU = 5  # timed of each phase in each turn; on a CPU one, which may take a minute

console = Console(stderr=True)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="Whole pictures of the shipped model only; writes no results.")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    dtype: Annotated[
        str | None, typer.Option(help="float32, float16 or bfloat16; float32 on a CPU, else float16.")
    ] = None,
    compile_unet: Annotated[
        bool, typer.Option("--compile", help="Compile the UNet in every mode by torch's default backend.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(help="Shapes, such as sd15,sdxl; shapeworld,sd15 on a CPU, else all.")
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="Times the training size, such as 2,4; on a CPU sd15 at 2 alone.")
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option("--pictures", help="Whole pictures of every shape, not of the shipped model alone."),
    ] = False,
    all_modes: Annotated[bool, typer.Option("--all-modes", help="The modes' parts too.")] = False,
    turns: Annotated[int, typer.Option(min=1, max=1000, help="Of each mode.")] = 3,
    peer: Annotated[
        Path, typer.Option(help="The Python of an environment that has HiDiffusion.")
    ] = hidiffusion.PYTHON,
    out: Annotated[Path, typer.Option(help="The folder of speed.json and speed.md.")] = RESULTS,
) -> None:
    """Measure time and memory against direct sampling."""
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    try:
        where = chosen_device(device)
        kind = choose_dtype(dtype, where)
        plan = [(SHIPPED, each) for each in _SCALES] if quick else planned(only, scale, where)
        found = results.empty()
        if not quick:
            results.check_folder(out)
            found = results.read(out / "speed.json")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    modes = MODES | PARTS if all_modes else MODES
    failures: list[str] = []

    def keep(section: dict[str, Any]) -> None:
        failures.extend(
            f"{section['shape']}, {section['size']}, {row['mode']}: {row['failure']}"
            for row in section["rows"]
            if row.get("failure")
        )
        results.put_section(found, section)
        if not quick:
            results.write(found, out)

    sections = Sections(Clock(where), kind, modes, 1 if quick else turns, compile_unet)
    for name, times in plan:
        shape = SHAPES[name]()
        if not quick:
            keep(sections.calls(shape, times, peer))
        if pictures or quick or name == SHIPPED:
            keep(sections.pictures(shape, times))
    if where.type == "cpu" and not compile_unet:  # a GPU's minutes are dear, and it would compute the same
        everything = [(name, times) for name in SHAPES for times in _SCALES]
        for name, times in plan if quick or only or scale else everything:
            console.print(f"computing {name} at {times}x")
            results.put(found, "computed", computed(SHAPES[name](), times), "shape", "size")
    if not quick:
        overhead = {**about(where, kind), "ratios": filter_overhead(5 * turns, Clock(where), kind)}
        results.put(found, "filters", [overhead], "device", "dtype")
        results.write(found, out)
    typer.echo(results.to_markdown(found))
    if failures:
        typer.echo("\n".join(["Error: some could not be measured:", *failures]), err=True)
        raise typer.Exit(1)


class Sections:
    """Measures one section of the results after another."""

    def __init__(
        self,
        clock: Clock,
        dtype: torch.dtype,
        modes: dict[str, Changes | None],
        turns: int,
        compiled: bool,
    ):
        self._clock, self._dtype, self._modes = clock, dtype, modes
        self._how = {
            "turns": turns,
            "calls": _CALLS_ON_A_GPU if clock.device.type == "cuda" else 1,
            "compiled": compiled,
        }

    def calls(self, shape: Shape, scale: int, peer: Path) -> dict[str, Any]:
        """Of the UNet, with what they take in memory, and HiDiffusion's where it is to be had."""
        section = self._section(UNetCalls, CALLS, shape, scale, self._how)
        if self._clock.device.type == "cpu" and scale == min(_SCALES):
            self._weigh(section["rows"], shape, scale)
        if not self._how["compiled"] and shape.name in hidiffusion.SHAPES and peer.exists():
            console.print(f"HiDiffusion, {shape.name} at {scale}x")
            section["rows"].append(
                hidiffusion.row(peer, shape.name, scale, self._clock.device, self._dtype, self._how["turns"])
            )
        return section

    def pictures(self, shape: Shape, scale: int) -> dict[str, Any]:
        """From prompt to pixels; one a turn, for it is long."""
        return self._section(whole_pictures, PICTURES, shape, scale, self._how | {"calls": 1})

    def _section(
        self, build: Any, work: str, shape: Shape, scale: int, how: dict[str, Any]
    ) -> dict[str, Any]:
        side, device = scale * shape.side, self._clock.device
        size = f"{side}x{side}"
        console.print(f"{work}, {shape.name}, {size}")
        configs = {mode: shape.settings(changes) for mode, changes in self._modes.items()}
        section = {
            **{"shape": shape.name, "size": size, "work": work},
            **about(device, self._dtype),
            **how,
        }
        subject = build(shape, scale, device, self._dtype)
        section["rows"] = rows(measure(subject, configs, self._clock, **how))
        del subject
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        return section

    def _weigh(self, of_modes: list[dict[str, Any]], shape: Shape, scale: int) -> None:
        """Put resident memory into the rows of the modes that are no mode's parts."""
        for row in of_modes:
            if row["mode"] in MODES and not row.get("failure"):
                row["peak_bytes"] = resident(shape.name, scale, row["mode"], self._dtype)
        direct = next((row.get("peak_bytes") for row in of_modes if row["mode"] == DIRECT), None)
        for row in of_modes:
            if direct and row.get("peak_bytes"):
                row["peak"] = row["peak_bytes"] / direct


def planned(only: str | None, scale: str | None, device: torch.device) -> list[tuple[str, int]]:
    """(shape, times its training size) of everything that is to be measured.

    Raises:
        ValueError: no shape has this name, or a scale is none.
    """
    on_cpu = device.type == "cpu"
    usual = (SHIPPED, "sd15") if on_cpu else tuple(SHAPES)
    names = usual if only is None else tuple(only.split(","))
    unknown = [name for name in names if name not in SHAPES]
    if unknown:
        raise ValueError(f"no shape is called {shown(unknown[0])}; shapes are {', '.join(SHAPES)}")
    if scale is not None:
        return [(name, each) for name in names for each in _scales(scale)]
    # One call of SD 1.5's shape at 4x takes minutes on a CPU.
    return [(name, each) for name in names for each in _SCALES if not on_cpu or name == SHIPPED or each == 2]


def _scales(text: str) -> list[int]:
    try:
        scales = [int(word) for word in text.split(",")]
    except ValueError:
        scales = [0]
    if not all(2 <= scale <= _LARGEST_SCALE for scale in scales):
        raise ValueError(
            f"--scale {shown(text)}: must be whole numbers from 2 to {_LARGEST_SCALE}, such as 2,4"
        )
    return scales
