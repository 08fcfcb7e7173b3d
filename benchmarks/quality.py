"""How often the shipped model's pictures are repeated and correct, directly and with FouriScale.

`python -m benchmarks.quality` samples fresh scenes in every cell, has the checker judge them, and writes
`benchmarks/results/quality.json` and `quality.md`. Every verdict is kept at once, so a killed run goes on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Callable, Container, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import date
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import track
from scipy.stats import binomtest

RESULTS = Path(__file__).parent / "results"
SEED = 1000  # of the benchmark's scenes; training draws its own from random 60-bit seeds
PAPER = {"mode": "paper"}  # whatever the preset says


class _Row(Protocol):
    """What a table's rows have in common: `count` scenes, sampled `batch` at a time."""

    @property
    def name(self) -> str: ...
    @property
    def count(self) -> int: ...
    @property
    def batch(self) -> int: ...


Counted = TypeVar("Counted", bound=_Row)


@dataclass(frozen=True)
class Cell:
    """One row of the table: `count` scenes at (height, width) pixels; `config` None samples directly.

    `texture`: whether edges and flat areas are measured too. `cascade`: fields of a `Cascade`, where there is one; its
    first picture alone, enlarged bicubically, where they are empty.
    """

    name: str
    objects: int
    size: tuple[int, int]
    config: dict[str, Any] | None  # changes to the shapeworld preset
    count: int
    batch: int
    texture: bool = False
    cascade: dict[str, Any] | None = None


CELLS = [
    Cell("128x128, one object, direct", 1, (128, 128), None, 128, 8),
    Cell("128x128, two objects, direct", 2, (128, 128), None, 128, 8),
    Cell("256x256, one object, direct", 1, (256, 256), None, 64, 4),
    Cell("256x256, one object, FouriScale, paper mode", 1, (256, 256), PAPER, 64, 4),
    *(
        Cell(
            f"256x256, one object, FouriScale, paper mode without {part}",
            1,
            (256, 256),
            PAPER | changes,
            32,
            4,
        )
        for part, changes in {
            "filter": {"unfiltered": ["*"]},
            "third branch": {"third_branch": False},
            "anneal": {"anneal": False},
        }.items()
    ),
    Cell("256x384, one object, direct", 1, (384, 256), None, 32, 2),
    Cell("256x384, one object, FouriScale, paper mode", 1, (384, 256), PAPER, 32, 2),
    Cell("384x256, one object, direct", 1, (256, 384), None, 32, 2),
    Cell("384x256, one object, FouriScale, paper mode", 1, (256, 384), PAPER, 32, 2),
    Cell("512x512, one object, direct", 1, (512, 512), None, 32, 1),
    Cell("512x512, one object, FouriScale, paper mode", 1, (512, 512), PAPER, 32, 1),
]


def judge_batch(cell: Cell, first: int, images: Path | None) -> list[dict[str, Any]]:
    """Sample scenes `first` to `first + batch` of a cell and judge them."""
    import torch

    from fouriscale import FouriScaleConfig
    from fouriscale.sampling.cascade import Cascade, enlarged, first_size
    from fouriscale.sampling.generate import generate
    from shapeworld import check, sample_scenes
    from shapeworld.judge.texture import texture

    torch.set_num_threads(1)  # two processes of one thread each are twice as fast as the reverse
    last = min(first + cell.batch, cell.count)
    scenes = sample_scenes(cell.count, SEED, cell.objects)[first:last]
    config = None if cell.config is None else FouriScaleConfig.preset("shapeworld", **cell.config)
    alone = cell.cascade == {}  # the first picture of a cascade and no more
    height, width = (alone and config and first_size(config, *cell.size)) or cell.size
    sampled = generate(
        pipeline(),
        [scene.caption for scene in scenes],
        height=height,
        width=width,
        seed=list(range(first, last)),
        config=None if alone else config,
        cascade=Cascade(**cell.cascade) if cell.cascade else None,
    )
    pictures = [one.image for one in sampled]
    if alone:
        pictures = enlarged(pictures, cell.size)
    verdicts = []
    for index, scene, picture in zip(range(first, last), scenes, pictures, strict=True):
        report = check(picture, scene)
        verdict = {
            "scene": index,
            "found": report.objects_found,
            "repeated": report.repeated,
            "correct": report.correct,
        }
        verdicts.append(verdict | (asdict(texture(picture, report)) if cell.texture else {}))
        if images:
            images.mkdir(parents=True, exist_ok=True)
            picture.save(images / f"{cell.name.replace(', ', '-').replace(' ', '_')}-{index:03d}.png")
    return verdicts


_loaded: list[Any] = []  # this worker's pipeline


def pipeline() -> Any:
    if not _loaded:
        import diffusers

        from fouriscale.loading.pipeline import load_pipeline

        diffusers.utils.logging.disable_progress_bar()
        pipe = load_pipeline("shapeworld/unet")
        pipe.set_progress_bar_config(disable=True)
        _loaded.append(pipe)
    return _loaded[0]


def key(cell: Cell, weights: str) -> str:
    """Stands for what a verdict depends on besides its scene's number: weights, settings, and who judged."""
    from fouriscale import FouriScaleConfig
    from shapeworld import SAMPLING

    config = None if cell.config is None else FouriScaleConfig.preset("shapeworld", **cell.config).to_dict()
    sampling = SAMPLING["unet"].call
    parts = [cell.name, cell.batch, weights, config, sampling, judge_version(cell.texture)]
    text = json.dumps(parts if cell.cascade is None else [*parts, cell.cascade], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def judge_version(with_texture: bool = False) -> str:
    """Changes with the code of the checker and of the scenes, and of what measures texture."""
    from shapeworld import scenes
    from shapeworld.judge import checker, palette, texture

    modules = (checker, palette, scenes, *([texture] if with_texture else []))
    sources = (Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def read_verdicts(file: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Verdicts by (key, scene); a last line cut short by a kill is left out."""
    verdicts = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        verdicts[entry["key"], entry["scene"]] = entry
    return verdicts


def share(hits: int, count: int) -> dict[str, float]:
    """A fraction with its 95% Wilson interval."""
    interval = binomtest(hits, count).proportion_ci(method="wilson")
    return {"fraction": hits / count, "low": interval.low, "high": interval.high}


def summarise(
    cells: list[Cell], keys: dict[str, str], verdicts: dict[tuple[str, int], dict]
) -> list[dict[str, Any]]:
    """One row a cell that has verdicts."""
    rows = []
    for cell in cells:
        judged = list(judged_in(cell, keys, verdicts).values())
        if judged:
            rows.append(
                {
                    "cell": cell.name,
                    "count": len(judged),
                    "repeated": share(sum(v["repeated"] for v in judged), len(judged)),
                    "correct": share(sum(v["correct"] for v in judged), len(judged)),
                }
            )
    return rows


def judged_in(
    cell: Cell, keys: dict[str, str], verdicts: dict[tuple[str, int], dict]
) -> dict[int, dict[str, Any]]:
    """A cell's verdicts by scene."""
    return {s: v for (k, s), v in verdicts.items() if k == keys[cell.name] and s < cell.count}


def percent(value: dict[str, float]) -> str:
    """A share and its interval, as they stand in a table."""
    return "{fraction:.0%} ({low:.0%} to {high:.0%})".format(**value)


def to_markdown(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    lines = ["| width x height, prompts, sampling | images | repeated | correct |", "|---|---|---|---|"]
    lines += [
        f"| {r['cell']} | {r['count']} | {percent(r['repeated'])} | {percent(r['correct'])} |" for r in rows
    ]
    note = "; ".join(f"{name} {value}" for name, value in about.items())
    return "\n".join([*lines, "", f"In brackets the 95% Wilson interval. {note}.", ""])


def judge_pieces(
    judge: Callable[..., list[dict[str, Any]]],
    pieces: Sequence[tuple[dict[str, Any], tuple[Any, ...]]],
    verdicts: dict[tuple[str, int], dict[str, Any]],
    verdict_file: Path,
    workers: int,
) -> None:
    """Have processes judge pieces of the work; each one's verdicts go into `verdicts` and the file at once.

    Args:
        judge: gives a piece's verdicts, each with the number of its "scene".
        pieces: what else the lines of a piece's verdicts say, its "key" among it, and the arguments of `judge`.
        workers: processes of one thread each.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with (
        ProcessPoolExecutor(max(workers, 1), mp_context=get_context("spawn")) as pool,
        verdict_file.open("a") as log,
    ):
        running = {pool.submit(judge, *arguments): about for about, arguments in pieces}
        for future in track(
            as_completed(running), "sampling", total=len(running), console=Console(stderr=True)
        ):
            for verdict in future.result():
                entry = {**running[future], **verdict}
                verdicts[entry["key"], entry["scene"]] = entry
                log.write(json.dumps(entry) + "\n")
            log.flush()


def missing(
    cells: Sequence[Counted], keys: Mapping[str, str], verdicts: Container[tuple[str, int]], together: int
) -> list[tuple[Counted, int]]:
    """(cell, first scene) of each batch that lacks a verdict; all cells have `together` scenes before any has more."""
    lacking = [
        (cell, first)
        for cell in cells
        for first in range(0, cell.count, cell.batch)
        if any(
            (keys[cell.name], i) not in verdicts for i in range(first, min(first + cell.batch, cell.count))
        )
    ]
    return sorted(lacking, key=lambda piece: piece[1] // together)


def measure(
    cells: list[Cell], weights: str, verdict_file: Path, workers: int, images: Path | None = None
) -> list[dict[str, Any]]:
    """Sample and judge what `verdict_file` does not hold yet; gives the table's rows.

    Args:
        weights: the model's fingerprint.
        workers: processes of one thread each; 0 samples nothing.
        images: a folder for the pictures.
    """
    keys = {cell.name: key(cell, weights) for cell in cells}
    verdict_file.parent.mkdir(parents=True, exist_ok=True)
    verdicts = read_verdicts(verdict_file)
    todo = missing(cells, keys, verdicts, 8) if workers else []
    pieces = [({"key": keys[cell.name], "cell": cell.name}, (cell, first, images)) for cell, first in todo]
    judge_pieces(judge_batch, pieces, verdicts, verdict_file, workers)
    return summarise(cells, keys, verdicts)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="8 images a cell, 2 at 512 x 512.")] = False,
    only: Annotated[str, typer.Option(help="Cells whose name holds this.")] = "",
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="At most this many images a cell.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = Path("runs/quality.jsonl"),
    save_images: Annotated[Path | None, typer.Option(help="A folder for the pictures.")] = None,
) -> None:
    """Measure the shipped model's quality at and beyond its training size."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    cells = chosen(CELLS, only)
    most = count or (8 if quick else None)
    if most:
        cells = [limited(cell, most if cell.size != (512, 512) or count else 2) for cell in cells]
    weights = fingerprint(WEIGHTS / "unet")
    rows = measure(cells, weights, verdict_file, workers=0 if report else workers, images=save_images)
    about = circumstances(weights)
    out.mkdir(parents=True, exist_ok=True)
    (out / "quality.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "quality.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


def chosen(cells: list[Cell], only: str) -> list[Cell]:
    """The cells whose name holds `only`.

    Raises:
        typer.BadParameter: there are none.
    """
    found = [cell for cell in cells if only in cell.name]
    if not found:
        raise typer.BadParameter(
            f"no cell's name holds {only!r}; cells are {'; '.join(c.name for c in cells)}"
        )
    return found


def circumstances(weights: str, with_texture: bool = False) -> dict[str, Any]:
    """What the figures depend on, for the table's note."""
    from shapeworld import SAMPLING

    settings = SAMPLING["unet"]
    return {
        "steps": settings.steps,
        "guidance": settings.guidance,
        "weights": weights,
        "checker": judge_version(with_texture),
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, CPU",
        **{name: metadata.version(name) for name in ("torch", "diffusers")},
    }


def limited(cell: Cell, most: int) -> Cell:
    return dataclasses.replace(cell, count=min(cell.count, most))


if __name__ == "__main__":
    typer.run(main)
