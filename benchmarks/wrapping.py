"""Whether a picture that wraps shows where its ends meet, and what wrapping costs in correct pictures.

`python -m benchmarks.wrapping` samples the same scenes with and without `wrap` and measures in each picture the mean
step from its last column to its first, beside the steps between neighbouring columns elsewhere in the same picture,
whole strides of the UNet away; and the same for rows. Where wrapping works, the paired difference has 0 in its 95%
interval, for a roll by whole strides changes nothing. The checker judges pictures that wrap as such, others plainly.
Writes `benchmarks/results/wrapping.json` and `wrapping.md`; every picture's figures are kept at once, so a killed run
goes on.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from scipy.stats import bootstrap

from .quality import RESULTS, SEED, circumstances, judge_version, read_verdicts, share

_AXES = {"width": 1, "height": 0}
_STRIDE = 16  # pixels from one place of the shipped UNet's coarsest map to the next


@dataclass(frozen=True)
class Row:
    """One way to sample: (height, width) in pixels, and the settings that differ from the model's preset's."""

    name: str
    size: tuple[int, int]
    changes: dict[str, Any]
    model: str = "unet"

    @property
    def wrap(self) -> str:
        return str(self.changes.get("wrap", "none"))


ROWS = [
    Row(f"{width}x{height}, {name}", (height, width), changes)
    for height, width in ((128, 128), (256, 256))
    for name, changes in {
        "no wrap": {},
        "wrap width": {"wrap": "width"},
        "wrap both": {"wrap": "both"},
        **({"paper mode, wrap both": {"mode": "paper", "wrap": "both"}} if height > 128 else {}),
    }.items()
] + [
    Row(f"{model}, 128x128, {name}", (128, 128), {} if wrap == "none" else {"wrap": wrap}, model)
    for model in ("joint-masked", "joint-registers")
    for name, wrap in {"no wrap": "none", "wrap width": "width", "wrap both": "both"}.items()
]


def steps(pixels: np.ndarray) -> dict[str, dict[str, float]]:
    """{axis: mean steps} of a picture (height, width, 3), in levels of 255.

    "across" its two ends, "inside" at whole strides from them, and "anywhere" inside.
    """
    measured = {}
    for name, axis in _AXES.items():
        values = np.moveaxis(pixels.astype(float), axis, 0)
        each = np.abs(values - np.roll(values, 1, 0)).mean((1, 2))  # from the one before
        measured[name] = {
            "across": float(each[0]),
            "inside": float(each[_STRIDE::_STRIDE].mean()),
            "anywhere": float(each[1:].mean()),
        }
    return measured


def difference(pictures: Iterable[dict[str, float]]) -> dict[str, float] | None:
    """The mean of `across - inside` over pictures with its 95% bootstrap interval (BCa); None of fewer than three."""
    found = np.array([picture["across"] - picture["inside"] for picture in pictures])
    if len(found) < 3 or np.ptp(found) == 0:
        return None
    interval = bootstrap((found,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    return {"mean": float(found.mean()), "low": float(interval.low), "high": float(interval.high)}


def key(row: Row, weights: str) -> str:
    """Stands for what a picture's figures depend on besides its scene's number."""
    from shapeworld import SAMPLING
    from shapeworld.judge import wrapped

    config = row_config(row).to_dict()
    judge = hashlib.sha256(Path(str(wrapped.__file__)).read_bytes()).hexdigest()[:16]
    parts = [row.name, row.size, weights, config, SAMPLING[row.model].call, judge_version(), judge]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def row_config(row: Row) -> Any:
    """The settings with which a row is sampled."""
    from fouriscale import FouriScaleConfig, PositionConfig

    if row.model == "unet":
        return FouriScaleConfig.preset("shapeworld", **row.changes)
    return PositionConfig.preset("shapeworld-joint", **row.changes)


@functools.cache
def _pipeline(model: str) -> Any:
    import diffusers

    from fouriscale.loading.pipeline import load_pipeline

    diffusers.utils.logging.disable_progress_bar()
    pipe = load_pipeline(f"shapeworld/{model}")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def look_at(row: Row, scene_number: int) -> dict[str, Any]:
    """Sample a scene and measure its picture."""
    import torch

    from fouriscale.sampling.generate import generate
    from shapeworld import check, sample_scenes

    torch.set_num_threads(1)
    scene = sample_scenes(scene_number + 1, SEED, 1)[-1]
    height, width = row.size
    (picture,) = generate(
        _pipeline(row.model),
        scene.caption,
        height=height,
        width=width,
        seed=scene_number,
        config=row_config(row),
    )
    report = check(picture.image, scene, wrap=row.wrap)
    return {
        "scene": scene_number,
        "correct": report.correct,
        "repeated": report.repeated,
        "steps": steps(np.asarray(picture.image)),
    }


def summarise(row: Row, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of the table."""
    count = len(figures)
    return {
        "row": row.name,
        "count": count,
        "correct": share(sum(one["correct"] for one in figures), count),
        "repeated": share(sum(one["repeated"] for one in figures), count),
        "steps": {
            axis: {
                "ratio": sum(one["steps"][axis]["across"] for one in figures)
                / max(sum(one["steps"][axis]["inside"] for one in figures), 1e-9),
                "difference": difference(one["steps"][axis] for one in figures),
            }
            for axis in _AXES
        },
    }


def _about(weights: dict[str, str]) -> dict[str, Any]:
    """What the figures depend on; steps and guidance are each model's own."""
    from shapeworld import SAMPLING

    own = {
        model: {
            "steps": SAMPLING[model].steps,
            "guidance": SAMPLING[model].guidance,
            "weights": weights[model],
        }
        for model in weights
    }
    return own | {k: v for k, v in circumstances("").items() if k not in ("steps", "guidance", "weights")}


def to_markdown(rows: list[dict[str, Any]], about: dict[str, Any]) -> str:
    def portion(value: dict[str, float]) -> str:
        return f"{value['fraction']:.0%} ({value['low']:.0%} to {value['high']:.0%})"

    def step(value: dict[str, Any]) -> str:
        apart = value["difference"]
        interval = (
            "" if apart is None else f", {apart['mean']:+.2f} ({apart['low']:+.2f} to {apart['high']:+.2f})"
        )
        return f"{value['ratio']:.2f} times{interval}"

    lines = [
        "| width x height, sampling | pictures | step from last to first column | from last to first row | correct "
        "| repeated |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        across, down = step(row["steps"]["width"]), step(row["steps"]["height"])
        shares = f"{portion(row['correct'])} | {portion(row['repeated'])}"
        lines.append(f"| {row['row']} | {row['count']} | {across} | {down} | {shares} |")
    note = "; ".join(f"{name} {value}" for name, value in about.items())
    said = (
        f"Times the mean step between neighbours elsewhere in the same pictures, every {_STRIDE} pixels, and the mean "
        f"of the paired difference in levels of 255 with its 95% interval; shares with theirs. {note}."
    )
    return "\n".join([*lines, "", said, ""])


def main(
    count: Annotated[int, typer.Option(min=1, help="Pictures a row.")] = 128,
    only: Annotated[str, typer.Option(help="Rows whose name holds this.")] = "",
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = RESULTS / "wrapping.jsonl",
) -> None:
    """Measure the step where a picture's ends meet."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS

    chosen = [row for row in ROWS if only in row.name]
    if not chosen:
        raise typer.BadParameter(f"no row's name holds {only!r}; rows are {'; '.join(r.name for r in ROWS)}")
    weights = {model: fingerprint(WEIGHTS / model) for model in dict.fromkeys(row.model for row in chosen)}
    keys = {row.name: key(row, weights[row.model]) for row in chosen}
    verdict_file.parent.mkdir(parents=True, exist_ok=True)
    kept = read_verdicts(verdict_file)
    missing = [
        (row, scene) for scene in range(count) for row in chosen if (keys[row.name], scene) not in kept
    ]
    with verdict_file.open("a") as log:
        for row, scene in track([] if report else missing, "sampling", console=Console(stderr=True)):
            entry = {"key": keys[row.name], "row": row.name, **look_at(row, scene)}
            kept[entry["key"], scene] = entry
            log.write(json.dumps(entry) + "\n")
            log.flush()
    rows = []
    for row in chosen:
        figures = [kept[keys[row.name], scene] for scene in range(count) if (keys[row.name], scene) in kept]
        if figures:
            rows.append(summarise(row, figures))
    about = _about(weights)
    out.mkdir(parents=True, exist_ok=True)
    (out / "wrapping.json").write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")
    (out / "wrapping.md").write_text(to_markdown(rows, about))
    typer.echo(to_markdown(rows, about))


if __name__ == "__main__":
    typer.run(main)
