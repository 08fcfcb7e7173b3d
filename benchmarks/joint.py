"""What rules of positions, temperatures and shifts do to our joint models' pictures beyond their training size.

`python -m benchmarks.joint` samples the same scenes directly, by every rule, with every shift and as a cascade, and has
the checker judge them: repetition and correctness, and what of it the scenes that direct sampling has too became.
Writes `benchmarks/results/joint.json` and `joint.md`; a killed run goes on from `joint.jsonl`, every picture's verdict.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import platform
import statistics
import time
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from .joint_cells import CELLS, DIRECT, STUDIED, TRAINING, Cell
from .quality import (
    RESULTS,
    SEED,
    chosen,
    judge_pieces,
    judge_version,
    missing,
    percent,
    read_verdicts,
    share,
)
from .study import difference


@functools.cache
def _weights(model: str) -> str:
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    return fingerprint(WEIGHTS / model)


def key(cell: Cell, steps: int | None, device: str) -> str:
    """Stands for what a verdict depends on besides its scene's number: weights, settings, device, and who judged."""
    from shapeworld import SAMPLING

    way = dataclasses.asdict(cell.way)
    if cell.way.padding is None:  # as in verdicts from before there was a choice
        del way["padding"]
    parts = [cell.model, _weights(cell.model), way, cell.size, cell.batch, cell.call(steps)]
    if cell.way.strength is not None and (first := _first_size(cell)) != TRAINING:
        parts.append(first)
    text = json.dumps([*parts, SAMPLING[cell.model].masking, device, judge_version()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _first_size(cell: Cell) -> tuple[int, int]:
    """Of a cascade."""
    from fouriscale.position_config import PositionConfig
    from fouriscale.sampling.cascade import first_size

    return first_size(PositionConfig(TRAINING), *cell.size) or cell.size


@functools.cache
def _pipeline(model: str, device: str) -> Any:
    """This worker's."""
    import diffusers

    from shapeworld import load_pipeline

    diffusers.utils.logging.disable_progress_bar()
    pipe: Any = load_pipeline(model).to(device)  # type: ignore[arg-type]
    pipe.set_progress_bar_config(disable=True)
    return pipe


def judge_batch(
    cell: Cell, first: int, steps: int | None, device: str, images: Path | None
) -> list[dict[str, Any]]:
    """Sample scenes `first` and those behind it in one batch and judge them."""
    import torch

    from shapeworld import check, sample_scenes

    torch.set_num_threads(1)  # two processes of one thread each are twice as fast as the reverse
    scenes = sample_scenes(cell.count, SEED, 1)[first : first + cell.batch]
    _pipeline(cell.model, device)  # loading it is no part of a picture's time
    begun = time.perf_counter()
    pictures = sampled(cell, [scene.caption for scene in scenes], first, steps, device)
    seconds = (time.perf_counter() - begun) / len(scenes)
    verdicts = []
    for index, (scene, picture) in enumerate(zip(scenes, pictures, strict=True), first):
        report = check(picture, scene)
        found = {"repeated": report.repeated, "correct": report.correct, "seconds": seconds}
        verdicts.append({"scene": index, "found": report.objects_found, **found})
        if images:
            images.mkdir(parents=True, exist_ok=True)
            picture.save(images / f"{cell.name.replace(', ', '-').replace(' ', '_')}-{index:03d}.png")
    return verdicts


def sampled(cell: Cell, prompts: list[str], first: int, steps: int | None, device: str) -> list[Any]:
    """The pictures of scenes `first` and those behind it in a cell's way."""
    import contextlib

    import torch

    from fouriscale import cascade, fouriscale
    from fouriscale.position_config import PositionConfig
    from fouriscale.sampling.cascade import enlarged
    from padtone import mask_padding, trim_padding

    pipe, way, call = _pipeline(cell.model, device), cell.way, cell.call(steps)
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, shift=way.shift)
    config = None if way.positions is None else PositionConfig(TRAINING, **way.positions)  # type: ignore[arg-type]
    height, width = cell.size
    seeds = [first + i for i in range(len(prompts))]
    if way.strength:
        made = cascade(
            pipe, prompts, height=height, width=width, strength=way.strength, config=config, seed=seeds,
            steps=call["num_inference_steps"],
        )  # fmt: skip
        return [picture.image for picture in made]
    if way.strength == 0:
        config, (height, width) = None, _first_size(cell)
    if "negative_prompt" in call:
        call["negative_prompt"] = [call["negative_prompt"]] * len(prompts)
    call |= {"prompt": prompts, "generator": [torch.Generator().manual_seed(seed) for seed in seeds]}
    changed = {None: contextlib.nullcontext, "masked": mask_padding, "trimmed": trim_padding}[way.padding]
    scaled = contextlib.nullcontext() if config is None else fouriscale(pipe, config)
    with changed(pipe), scaled:
        images = pipe(**call, height=height, width=width).images
    return list(images if way.strength is None else enlarged(images, cell.size))


def measure(
    cells: list[Cell], verdict_file: Path, steps: int | None, device: str, workers: int, images: Path | None
) -> list[dict[str, Any]]:
    """Sample and judge what `verdict_file` does not hold yet; gives the table's rows. 0 workers sample nothing."""
    keys = {cell.name: key(cell, steps, device) for cell in cells}
    verdict_file.parent.mkdir(parents=True, exist_ok=True)
    verdicts = read_verdicts(verdict_file)
    pieces = missing(cells, keys, verdicts, 24) if workers else []
    tasks = [
        ({"key": keys[cell.name], "cell": cell.name}, (cell, first, steps, device, images))
        for cell, first in pieces
    ]
    judge_pieces(judge_batch, tasks, verdicts, verdict_file, workers)
    return summarise(cells, keys, verdicts)


def summarise(
    cells: list[Cell], keys: dict[str, str], verdicts: dict[tuple[str, int], dict[str, Any]]
) -> list[dict[str, Any]]:
    """One row a cell that has verdicts, beside direct sampling's of the same model, size and scenes."""
    by_scene: dict[str, dict[int, dict[str, Any]]] = {}
    for (name, scene), verdict in verdicts.items():
        by_scene.setdefault(name, {})[scene] = verdict
    judged = {
        cell.name: {s: v for s, v in by_scene.get(keys[cell.name], {}).items() if s < cell.count}
        for cell in cells
    }
    direct = {(cell.model, cell.size): judged[cell.name] for cell in cells if cell.way_name == DIRECT}
    rows = []
    for cell in cells:
        own, first = judged[cell.name], direct.get((cell.model, cell.size), {})
        if own:
            pairs = [(first[s]["correct"], v["correct"]) for s, v in own.items() if s in first]
            rows.append(
                {
                    **{"cell": cell.name, "count": len(own)},
                    **{
                        name: share(sum(v[name] for v in own.values()), len(own))
                        for name in ("repeated", "correct")
                    },
                    "correct_difference": difference(pairs),
                    "seconds": statistics.median(v["seconds"] for v in own.values()),
                }
            )
    return rows


def to_markdown(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    note = "; ".join(f"{name} {value}" for name, value in about.items())
    intervals = (
        "Right / repeated, in brackets Wilson's 95% interval, then the number of pictures. Seconds: the median of a "
        "picture's, alone in its process, of the first model named"
    )
    return "\n".join([*table(rows), "", f"{intervals}. {note}.", ""])


def table(rows: list[dict[str, Any]]) -> list[str]:
    """One line a size and way, the models side by side."""
    cells = {tuple(row["cell"].split(", ", 2)): row for row in rows}  # model, size, way
    models = [model for model in (*STUDIED, "joint") if any(model == key[0] for key in cells)]
    lines = [
        f"| width x height | sampling | {' | '.join(f'`{model}`' for model in models)} | seconds |",
        f"|---|---|{'---|' * len(models)}---|",
    ]
    for size, way in dict.fromkeys(key[1:] for key in cells):
        found = [cells.get((model, size, way)) for model in models]
        seconds = next(f"{row['seconds']:.1f}" for row in found if row)
        shares = " | ".join(_shares(row) if row else "" for row in found)
        lines.append(f"| {size} | {way} | {shares} | {seconds} |")
    return lines


def _shares(row: dict[str, Any]) -> str:
    return " / ".join(percent(row[name]) for name in ("correct", "repeated")) + f", {row['count']}"


def main(
    only: Annotated[str, typer.Option(help="Rows whose name holds this; direct sampling comes along.")] = "",
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="At most this many images a row.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="None: each model's own.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes, on a CPU of one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = RESULTS / "joint.jsonl",
    save_images: Annotated[Path | None, typer.Option(help="A folder for the pictures.")] = None,
) -> None:
    """Study positions beyond the training size on the joint models."""
    asked = chosen(CELLS, only)
    compared = {(cell.model, cell.size) for cell in asked}
    cells = [c for c in CELLS if c in asked or (c.way_name == DIRECT and (c.model, c.size) in compared)]
    if count:
        cells = [dataclasses.replace(cell, count=min(cell.count, count)) for cell in cells]
    rows = measure(cells, verdict_file, steps, device, 0 if report else workers, save_images)
    about = {
        "steps": {cell.model: cell.call(steps)["num_inference_steps"] for cell in cells},
        "weights": {cell.model: _weights(cell.model) for cell in cells},
        "checker": judge_version(),
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {device}",
        **{name: metadata.version(name) for name in ("torch", "diffusers")},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "joint.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "joint.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


if __name__ == "__main__":
    typer.run(main)
