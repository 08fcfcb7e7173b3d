"""What each part of the fast mode does to the shipped model's pictures.

`python -m benchmarks.study` samples the same scenes with every part at twice the training size, and with the finalists
at other sizes too, and compares them, scene by scene, with the published method's: repetition and correctness by the
checker, edge width, grain and fringes of colour against rendered truth. Writes
`benchmarks/results/study.json` and `study.md`; a killed run goes on from `study.jsonl`, every picture's verdict.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import bootstrap

from .quality import (
    PAPER,
    RESULTS,
    SEED,
    Cell,
    chosen,
    circumstances,
    judged_in,
    key,
    limited,
    measure,
    pipeline,
    read_verdicts,
    share,
    to_markdown,
)  # fmt: skip

_DEEP: dict[str, Any] = {"mode": "fast", "grid_level": None, "grid_phases": [[0.8, 1]]}
_FULL = {"attention": "full", "late_attention": "full"}


def _until(end: float) -> dict[str, Any]:
    return _DEEP | {"grid_phases": [[end, 1]]}


@dataclass(frozen=True)
class Part:
    """One way to sample: changes to the shapeworld preset, None for direct sampling, and a `Cell`'s cascade."""

    config: dict[str, Any] | None
    cascade: dict[str, Any] | None = None


_SCREENED: dict[str, Part] = {  # at the first size; all are compared with the first
    "paper mode": Part(PAPER),
    "direct": Part(None),
    "layerwise mode": Part({"mode": "layerwise"}),
    "deep until .8": Part(_DEEP),
    # One thing changed at a time.
    **{f"deep until {end:.1f}".replace("0.", "."): Part(_until(end)) for end in (0.5, 0.6, 0.7, 0.9, 1.0)},
    "deep, growing by half from .5": Part(_DEEP | {"grid_phases": [[0.5, 1], [0.8, 1.5]]}),
    "deep, one level lower": Part(_DEEP | {"grid_level": 2}),
    "deep with guidance branch": Part(_DEEP | {"third_branch": True}),
    "deep, all keys outside": Part(_DEEP | {"attention": "full"}),
    "deep, all keys afterwards": Part(_DEEP | {"late_attention": "full"}),
    "deep, all keys": Part(_DEEP | _FULL),
    "deep, area": Part(_DEEP | {"grid_resampling": "area"}),
    "deep, nearest": Part(_DEEP | {"grid_resampling": "nearest"}),
    "deep, bicubic": Part(_DEEP | {"grid_resampling": "bicubic"}),
    # As others set it. Deep Shrink's factor of 2 is the training size here.
    "as Deep Shrink's: bicubic, until .35": Part(_until(0.35) | _FULL | {"grid_resampling": "bicubic"}),
    "as HiDiffusion's resizing: nearest, until .4": Part(
        _until(0.4) | _FULL | {"grid_resampling": "nearest"}
    ),
}
_CASCADES: dict[str, Part] = {
    "enlarged bicubically": Part(_DEEP, {}),
    "cascade, strength .3": Part(_DEEP, {"strength": 0.3}),
    "cascade, strength .3, deep until .9": Part(_until(0.9), {"strength": 0.3}),
    "cascade, strength .5": Part(_DEEP, {"strength": 0.5}),
}
_AT_4X: dict[str, Part] = {
    "deep until 1.0": Part(_until(1.0)),
    "deep, growing": Part(_DEEP | {"grid_phases": [[0.4, 1], [0.6, 4 / 3], [0.8, 2]]}),
    "cascade, strength .3, twice the grid until 1.0": Part(
        _DEEP | {"grid_phases": [[1.0, 2]]}, {"strength": 0.3}
    ),
    "cascade, strength .5, latents": Part(_DEEP, {"strength": 0.5, "upsampling": "latents"}),
}
_FINALISTS = {name: _SCREENED[name] for name in ("paper mode", "deep until .8")}
_SCREEN = 64  # pictures of every part at the first size; those scenes chose, the others confirm
# (height, width): finalists and their pictures, and what else is sampled there.
_SIZES: dict[tuple[int, int], tuple[int, dict[str, Part]]] = {
    (256, 256): (256, _SCREENED | _CASCADES),
    (256, 384): (64, {}),
    (384, 256): (64, {}),
    (512, 512): (64, _CASCADES | _AT_4X),
    (192, 192): (64, {}),
}


def _cell(name: str, part: Part, size: tuple[int, int], count: int) -> Cell:
    height, width = size
    batch = max(1, 4 * 256**2 // (height * width))
    return Cell(f"{width}x{height}, {name}", 1, size, part.config, count, batch, True, part.cascade)


CELLS = [
    _cell(name, part, size, most if name in _FINALISTS else _SCREEN)
    for size, (most, others) in _SIZES.items()
    for name, part in (_FINALISTS | others).items()
]
_MEASURES = ("edge_width", "grain", "fringes")
_COLUMNS = ("edge_width", "edge_width_ratio", "grain", "grain_ratio")


def compare(first: dict[int, dict], judged: dict[int, dict]) -> dict[str, Any]:
    """A part's verdicts by scene beside the published method's.

    How many of the scenes that both have became right and wrong, and the difference that makes to the share of
    correct pictures; the medians of edge width and grain over correct pictures, and of their ratio where both
    pictures are correct.
    """
    pairs = [(first[scene], verdict) for scene, verdict in judged.items() if scene in first]
    both = [(a, b) for a, b in pairs if a["correct"] and b["correct"]]
    found: dict[str, Any] = {
        "pairs": len(pairs),
        "became_right": sum(b["correct"] and not a["correct"] for a, b in pairs),
        "became_wrong": sum(a["correct"] and not b["correct"] for a, b in pairs),
        "correct_difference": difference([(a["correct"], b["correct"]) for a, b in pairs]),
    }
    for name in _MEASURES:
        correct = [v[name] for v in judged.values() if v["correct"] and v[name] is not None]
        found[name] = spread(correct)
        if name != "fringes":  # of which most pictures have none
            found[f"{name}_ratio"] = spread([b[name] / a[name] for a, b in both if a[name] and b[name]])
    return found


def difference(pairs: list[tuple[bool, bool]]) -> dict[str, float] | None:
    """How much larger the second's share is than the first's over the same scenes, with its 95% interval.

    Newcombe's score interval for paired proportions, which stays wide where no pair differs (Statistics in
    Medicine 17, 1998, method 10).
    """
    count = len(pairs)
    if not count:
        return None
    first, second = (share(sum(pair[i] for pair in pairs), count) for i in (0, 1))
    both, neither = (sum(a == b == value for a, b in pairs) for value in (True, False))
    gained = sum(b and not a for a, b in pairs)
    lost = count - both - neither - gained
    product = both * neither - gained * lost
    if product > 0:
        product = max(product - count / 2, 0)  # the method's continuity correction
    margins = math.prod((both + gained, both + lost, neither + gained, neither + lost))
    correlation = product / math.sqrt(margins) if margins else 0.0
    found = second["fraction"] - first["fraction"]

    def reach(up: dict[str, float], up_side: str, down: dict[str, float], down_side: str) -> float:
        a, b = abs(up[up_side] - up["fraction"]), abs(down[down_side] - down["fraction"])
        return math.sqrt(a**2 - 2 * correlation * a * b + b**2)

    return {
        "fraction": found,
        "low": found - reach(second, "low", first, "high"),
        "high": found + reach(second, "high", first, "low"),
    }


def spread(values: list[float]) -> dict[str, float] | None:
    """The median and its 95% interval by bootstrap; None for fewer than two values."""
    if len(values) < 2:
        return None
    found = bootstrap((values,), np.median, rng=np.random.default_rng(0), method="percentile")
    low, high = found.confidence_interval
    return {"median": float(np.median(values)), "low": float(low), "high": float(high)}


def truth(count: int, size: tuple[int, int]) -> dict[str, dict[str, Any]]:
    """Edge width and grain of the true pictures, and of those through the VAE, which no sampling can surpass."""
    import torch

    from shapeworld import check, sample_scenes
    from shapeworld.judge.texture import Texture, texture

    pipe = pipeline()
    height, width = size
    names = (f"{width}x{height}, the truth", f"{width}x{height}, the truth through the VAE")
    found: dict[str, list[Texture]] = {name: [] for name in names}
    for scene in sample_scenes(count, SEED, 1):
        image = scene.render(height, width)
        with torch.no_grad():
            latents = pipe.vae.encode(pipe.image_processor.preprocess(image)).latent_dist.mode()
            again = pipe.image_processor.postprocess(pipe.vae.decode(latents).sample)[0]
        for name, picture in zip(found, (image, again), strict=True):
            found[name].append(texture(picture, check(picture, scene)))
    return {
        name: {m: spread([v for t in textures if (v := getattr(t, m)) is not None]) for m in _MEASURES}
        for name, textures in found.items()
    }


def compared_to_markdown(rows: list[dict[str, Any]], true: dict[str, dict[str, Any]]) -> str:
    """The table of what changed and of texture."""

    def cell(value: dict[str, float] | None) -> str:
        return "" if value is None else "{median:.2f} ({low:.2f} to {high:.2f})".format(**value)

    def measured(value: dict[str, Any]) -> str:
        fringes = value.get("fringes")
        thousandths = fringes and {name: 1000 * number for name, number in fringes.items()}
        return " | ".join([*(cell(value.get(k)) for k in _COLUMNS), cell(thousandths)])

    def points(value: dict[str, float]) -> str:
        return "{fraction:+.1f} ({low:+.1f} to {high:+.1f})".format(**{k: 100 * v for k, v in value.items()})

    lines = [
        "| width x height, sampling | became right / wrong | correct, points more | edge width, px "
        "| over paper mode's | grain, of 255 | over paper mode's | fringes, of 1000 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        changed = f"{row['became_right']} / {row['became_wrong']} of {row['pairs']}"
        lines.append(f"| {row['cell']} | {changed} | {points(row['correct_difference'])} | {measured(row)} |")
    for name, value in true.items():
        lines.append(f"| {name} | | | {measured(value)} |")
    return "\n".join(
        [
            *lines,
            "",
            "In brackets 95% intervals: of the points by Newcombe's method for pairs; of widths, grain and fringes, "
            "medians over correct pictures, by bootstrap. Fringes: of the pixels near an edge those whose colour is "
            "no blend of its two sides.",
            "",
        ]
    )


def main(
    only: Annotated[str, typer.Option(help="Rows whose name holds this; paper mode comes along.")] = "",
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the tables so far.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="At most this many images a row.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the tables go.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = RESULTS / "study.jsonl",
    save_images: Annotated[Path | None, typer.Option(help="A folder for the pictures.")] = None,
) -> None:
    """Compare the parts of the fast mode."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    asked = chosen(CELLS, only)
    paper = {cell.size: cell for cell in reversed(CELLS)}  # the first of each size
    cells = [c for c in CELLS if c in asked or c in [paper[one.size] for one in asked]]
    if count:
        cells = [limited(cell, count) for cell in cells]
    weights = fingerprint(WEIGHTS / "unet")
    rows = measure(cells, weights, verdict_file, workers=0 if report else workers, images=save_images)
    keys, verdicts = {cell.name: key(cell, weights) for cell in cells}, read_verdicts(verdict_file)
    judged = {cell.name: judged_in(cell, keys, verdicts) for cell in cells}
    first = {cell.name: judged[paper[cell.size].name] for cell in cells}
    rows = [row | compare(first[row["cell"]], judged[row["cell"]]) for row in rows]
    about = circumstances(weights, with_texture=True)
    true = truth(min(count or _SCREEN, _SCREEN), CELLS[0].size)
    text = to_markdown(rows, about) + "\n" + compared_to_markdown(rows, true)
    out.mkdir(parents=True, exist_ok=True)
    (out / "study.json").write_text(
        json.dumps({"about": about, "rows": rows, "truth": true}, indent=2) + "\n"
    )
    (out / "study.md").write_text(text)
    typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
