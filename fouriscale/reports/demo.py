"""The picture of `fouriscale demo`: direct sampling against FouriScale's fast mode with the embedded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
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
SIZES = ((256, 256, 4), (256, 384, 4), (512, 512, 1))  # height, width, prompts
RIGHT, REPEATED, WRONG = "right", "with objects repeated", "wrong otherwise"
_WIDE, _GAP = 382, 12  # pixels of a large picture, and between two: 800 with the frame
_STRIP, _LETTERS = 30, 18  # pixels of a line of text, and of its letters
METHODS: dict[str, dict[str, Any] | None] = {"direct": None, "FouriScale, fast mode": {"mode": "fast"}}


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
    pairs = sample(SIZES, METHODS)
    save(lay_out(pairs), out, shown(pairs))
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
    """A sheet 800 pixels wide: one large pair of each size, and beneath them what the checker says of all pairs.

    Of the first size it is the first scene, of the second the second, and so on: no pair is chosen by its outcome.
    """
    by_size = of_sizes(pairs)
    large = [of_size[place % len(of_size)] for place, of_size in enumerate(by_size.values())]
    blocks = [_pair_block(pair) for pair in large]
    return framed(beneath([*blocks, _tally(by_size)], 2 * _GAP), _GAP)


def of_sizes(
    pairs: Sequence[Sequence[JudgedPicture]],
) -> dict[tuple[int, int], list[Sequence[JudgedPicture]]]:
    """{(width, height): its pairs}."""
    by_size: dict[tuple[int, int], list[Sequence[JudgedPicture]]] = {}
    for pair in pairs:
        by_size.setdefault(pair[0].image.size, []).append(pair)
    return by_size


def _pair_block(pair: Sequence[JudgedPicture]) -> Image.Image:
    width, height = pair[0].image.size
    tall = round(_WIDE * height / width)
    row = [
        captioned(
            picture.image.resize((_WIDE, tall), Image.Resampling.LANCZOS),
            f"{picture.method}: {_judgement(picture.report)}",
            _STRIP,
            _LETTERS,
            colour="dimgray",
        )
        for picture in pair
    ]
    return captioned(beside(row, _GAP), f"{pair[0].scene.caption}, {width} x {height}", _STRIP, _LETTERS)


def _judgement(report: Report) -> str:
    return RIGHT if report.correct else REPEATED if report.repeated else WRONG


def _tally(by_size: Mapping[tuple[int, int], Sequence[Sequence[JudgedPicture]]]) -> Image.Image:
    """What the checker says of all pictures, in lines as wide as the sheet."""
    lines = [
        "All pictures sampled, as the checker sees them; each pair from the same noise:",
        *tally(by_size),
    ]
    sheet = Image.new("RGB", (2 * _WIDE + _GAP, _STRIP * len(lines)), "white")
    font = ImageFont.load_default(_LETTERS - 2)
    for place, line in enumerate(lines):
        middle = _STRIP * place + _STRIP // 2
        ImageDraw.Draw(sheet).text((0, middle), line, fill="black", font=font, anchor="lm")
    return sheet


def tally(by_size: Mapping[tuple[int, int], Sequence[Sequence[JudgedPicture]]]) -> list[str]:
    """Right, repeated and otherwise wrong pictures of each size and method, a line each."""
    lines = []
    for (width, height), pairs in by_size.items():
        for number, picture in enumerate(pairs[0]):
            said = [_judgement(pair[number].report) for pair in pairs]
            counts = [f"{said.count(RIGHT)} of {len(said)} right"]
            counts += [f"{said.count(word)} {word}" for word in (REPEATED, WRONG) if word in said]
            lines.append(f"{width} x {height}, {picture.method}: {', '.join(counts)}")
    return lines


def shown(pairs: Sequence[Sequence[JudgedPicture]]) -> dict[str, Any]:
    """What the sheet rests on, for `fouriscale show`: every picture, and what the checker says of it."""
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


def _counts(pairs: Sequence[Sequence[JudgedPicture]]) -> Table:
    """How many of each size and method were repeated and correct, according to the checker."""
    table = Table("width x height", "sampling", "pictures", "repeated", "correct")
    for height, width, _ in SIZES:
        for number, method in enumerate(METHODS):
            pictures = [pair[number] for pair in pairs if pair[0].image.size == (width, height)]
            repeated, correct = (
                sum(getattr(picture.report, what) for picture in pictures) for what in ("repeated", "correct")
            )
            table.add_row(f"{width} x {height}", method, str(len(pictures)), str(repeated), str(correct))
    return table
