"""The picture of docs/joint.md: the first scenes of the study of positions, each in several ways, from the same noise.

`python -m benchmarks.studies.joint_picture` writes `docs/joint.png`. To be made again when the joint models, their
preset or the rules have changed. A study of 27 November 2026.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from picturelab.recipes import save
from picturelab.reports.grid import beneath, beside, captioned, framed

from ..joint import sampled
from ..joint_cells import CELLS, Cell
from ..quality import SEED

DOCS = Path(__file__).parents[2] / "docs"
_ROWS = (  # model, (height, width), scenes of the study, and by label the ways
    (
        "joint-masked",
        (256, 256),
        (1, 3),
        ("direct", "interpolate, temperature yarn", "cascade, strength 0.5"),
    ),
    (
        "joint-registers",
        (256, 256),
        (1, 3),
        ("direct", "interpolate, temperature yarn", "cascade, strength 0.5"),
    ),
    ("joint-masked", (512, 512), (1,), ("direct", "interpolate, temperature yarn", "cascade, strength 0.3")),
)
_GAP, _STRIP, _SHOWN = 8, 22, 200  # pixels between pictures, above them for a label, and of a picture's side


def main() -> None:
    blocks = [_block(model, size, scenes, ways) for model, size, scenes, ways in _ROWS]
    save(framed(beneath(blocks, _GAP), _GAP), DOCS / "joint.png", None, "fouriscale")
    print("wrote docs/joint.png")


def _block(model: str, size: tuple[int, int], scenes: tuple[int, ...], ways: tuple[str, ...]) -> Image.Image:
    """A line a scene: its caption above, a picture a way, and beneath each whether it is right."""
    from shapeworld import check, sample_scenes

    lines = []
    for number in scenes:
        scene = sample_scenes(number + 1, SEED, 1)[number]
        row = []
        for way in ways:
            (picture,) = sampled(_cell(model, size, way), [scene.caption], number, None, "cpu")
            report = check(picture, scene)
            verdict = "right" if report.correct else "repeated" if report.repeated else "wrong"
            shown = picture.resize((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
            row.append(captioned(shown, f"{way.split(', temp')[0]}: {verdict}", _STRIP, 13, colour="dimgray"))
        lines.append(
            captioned(beside(row, 4), f"{model}, {size[1]} x {size[0]}: {scene.caption}", _STRIP, 13)
        )
    return beneath(lines, _GAP)


def _cell(model: str, size: tuple[int, int], way: str) -> Cell:
    return next(c for c in CELLS if (c.model, c.size, c.way_name) == (model, size, way))


if __name__ == "__main__":
    main()
