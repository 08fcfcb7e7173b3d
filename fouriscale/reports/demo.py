"""The picture of `fouriscale demo`: direct sampling against FouriScale's fast mode with the embedded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from picturelab.failures import printable
from picturelab.recipes import SHEET
from picturelab.reports.grid import beneath, beside, captioned, framed
from picturelab.worlds import DEFAULT_MODEL, Report, Scene, world

from ..config import FouriScaleConfig
from ..loading.pipeline import load_pipeline
from ..sampling.generate import generate
from ..sampling.recipe import save

_SEED = 4  # of the scenes; the noise is numbered within a size, and neither was chosen by its outcome
_SIZES = ((256, 256, 4), (256, 384, 4), (512, 512, 1))  # height, width, prompts
_GAP, _STRIP = 12, 26  # pixels between pictures, and above them for the label
_METHODS: dict[str, dict[str, Any] | None] = {"direct": None, "FouriScale, fast mode": {"mode": "fast"}}


@dataclass(frozen=True)
class JudgedPicture:
    """One picture of the demo, and what the checker says of it."""

    scene: Scene
    method: str
    image: Image.Image
    report: Report


def demo(out: Path) -> None:
    """Sample, judge, write the picture to `out` and print the counts.

    Raises:
        ValueError: the picture cannot be written, or the embedded model is missing.
    """
    pairs = sample(_SIZES, _METHODS)
    save(lay_out(pairs), out, _shown(pairs))
    console = Console()
    console.print(_counts(pairs))
    console.print(f"the picture: {printable(str(out))}", soft_wrap=True, markup=False)


def sample(
    sizes: Sequence[tuple[int, int, int]], methods: Mapping[str, dict[str, Any] | None]
) -> list[tuple[JudgedPicture, ...]]:
    """Pictures of the same scenes by each method, from the same noise.

    Args:
        sizes: height, width and number of scenes of each.
        methods: by label, changes to the preset; None samples directly.
    """
    shapeworld, pipe = world(), load_pipeline()
    pipe.set_progress_bar_config(disable=True)
    rows: list[tuple[JudgedPicture, ...]] = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("sampling", total=sum(count for *_, count in sizes) * len(methods))
        for height, width, count in sizes:
            for number, scene in enumerate(shapeworld.scenes(count, _SEED, objects=1)):
                row = []
                for method, changes in methods.items():
                    config = None if changes is None else FouriScaleConfig.preset("shapeworld", **changes)
                    (picture,) = generate(
                        pipe, scene.caption, height=height, width=width, seed=number, config=config
                    )
                    report = shapeworld.check(picture.image, scene)
                    row.append(JudgedPicture(scene, method, picture.image, report))
                    bar.advance(task)
                rows.append(tuple(row))
    return rows


def lay_out(pairs: Sequence[Sequence[JudgedPicture]]) -> Image.Image:
    """All pictures on white, as many pairs a row as pictures of one size; each pair under its caption."""
    rows: dict[tuple[int, int], list[Image.Image]] = {}
    for pair in pairs:
        rows.setdefault(pair[0].image.size, []).append(_pair_block(pair))
    return framed(beneath([beside(row, _GAP) for row in rows.values()], _GAP), _GAP)


def _shown(pairs: Sequence[Sequence[JudgedPicture]]) -> dict[str, Any]:
    """What the sheet shows, for `fouriscale show`: every picture, and what the checker says of it."""
    pictures = [
        {
            "prompt": picture.scene.caption,
            "width": picture.image.width,
            "height": picture.image.height,
            "sampling": picture.method,
            "repeated": picture.report.repeated,
            "correct": picture.report.correct,
        }
        for pair in pairs
        for picture in pair
    ]
    return {SHEET: "demo", "model": DEFAULT_MODEL, "pictures": pictures}


def _pair_block(pair: Sequence[JudgedPicture]) -> Image.Image:
    width, height = pair[0].image.size
    row = [captioned(picture.image, picture.method, _STRIP, 14, colour="dimgray") for picture in pair]
    return captioned(beside(row, 4), f"{pair[0].scene.caption}, {width} x {height}", _STRIP, 14)


def _counts(pairs: Sequence[Sequence[JudgedPicture]]) -> Table:
    """How many of each size and method were repeated and correct, according to the checker."""
    table = Table("width x height", "sampling", "pictures", "repeated", "correct")
    for height, width, _ in _SIZES:
        for number, method in enumerate(_METHODS):
            pictures = [pair[number] for pair in pairs if pair[0].image.size == (width, height)]
            repeated, correct = (
                sum(getattr(picture.report, what) for picture in pictures) for what in ("repeated", "correct")
            )
            table.add_row(f"{width} x {height}", method, str(len(pictures)), str(repeated), str(correct))
    return table
