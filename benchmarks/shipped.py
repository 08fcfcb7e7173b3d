"""How often each shipped model's pictures are right at its training size, as its `sampling.json` samples it.

`python -m benchmarks.shipped` draws the same fresh scenes with every model and has the checker judge them, two objects
once more with the prompt repeated in the padding's place; writes `benchmarks/results/shipped.json` and `shipped.md`.
It took 43 minutes beside other programs on two cores. Every verdict is kept at once, so a killed run goes on.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from .quality import RESULTS, SEED, judge_pieces, judge_version, percent, read_verdicts, share
from .study import difference

_BATCH = 16
_FILLED = ("unet", "joint", "joint-registers")  # whose padding the prompt is repeated in


@dataclass(frozen=True)
class Row:
    """So many scenes with so many objects, drawn by one model.

    Attributes:
        steps: None: the model's own.
        filling: see `padtone.replace_padding`; None: the padding as it is.
    """

    model: str
    objects: int
    count: int
    steps: int | None = None
    filling: str | None = None

    @property
    def call(self) -> dict[str, Any]:
        from shapeworld import SAMPLING

        call = dict(SAMPLING[self.model].call)
        return call | ({} if self.steps is None else {"num_inference_steps": self.steps})

    @property
    def key(self) -> str:
        """Stands for what a verdict depends on besides its scene's number."""
        from picturelab.models import fingerprint
        from shapeworld import SAMPLING, WEIGHTS

        parts = [
            *(self.model, self.objects, self.count, self.call, SAMPLING[self.model].masking, self.filling),
            *(fingerprint(WEIGHTS / self.model), judge_version()),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def judge_batch(row: Row, first: int, images: Path | None) -> list[dict[str, Any]]:
    """Draw scenes `first` and those behind it in one batch, and judge them."""
    import diffusers
    import torch

    import padtone
    from shapeworld import check, load_pipeline, sample_scenes

    torch.set_num_threads(1)
    diffusers.utils.logging.disable_progress_bar()
    pipe: Any = load_pipeline(row.model)
    pipe.set_progress_bar_config(disable=True)
    scenes = sample_scenes(row.count, SEED, row.objects)[first : first + _BATCH]
    call = row.call
    if "negative_prompt" in call:
        call["negative_prompt"] = [call["negative_prompt"]] * len(scenes)
    generators = [torch.Generator().manual_seed(first + i) for i in range(len(scenes))]
    filled = padtone.replace_padding(pipe, filling=row.filling) if row.filling else nullcontext()
    with filled:
        pictures = pipe([scene.caption for scene in scenes], generator=generators, **call).images
    verdicts = []
    for index, (scene, picture) in enumerate(zip(scenes, pictures, strict=True), first):
        report = check(picture, scene)
        background = report.background == scene.background
        verdicts.append({"scene": index, "correct": report.correct, "background": background})
        if images:
            images.mkdir(parents=True, exist_ok=True)
            name = f"{row.model}-{row.objects}-{row.steps or 'own'}-{row.filling or 'full'}-{index:03}.png"
            picture.save(images / name)
    return verdicts


def measure(rows: list[Row], verdict_file: Path, workers: int, images: Path | None) -> list[dict[str, Any]]:
    """Draw and judge what `verdict_file` does not hold yet; gives the table's rows. 0 workers draw nothing."""
    keys = {row: row.key for row in rows}
    verdict_file.parent.mkdir(parents=True, exist_ok=True)
    verdicts = read_verdicts(verdict_file)
    pieces = [
        ({"key": keys[row], "model": row.model, "objects": row.objects}, (row, first, images))
        for row in rows
        for first in range(0, row.count, _BATCH)
        if workers and (keys[row], min(first + _BATCH, row.count) - 1) not in verdicts
    ]
    judge_pieces(judge_batch, pieces, verdicts, verdict_file, workers)
    judged = {row: {scene: v for (key, scene), v in verdicts.items() if key == keys[row]} for row in rows}
    return [_summary(row, judged[row], judged.get(replace(row, filling=None), {})) for row in rows]


def _summary(
    row: Row, judged: dict[int, dict[str, Any]], unfilled: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """A row's shares of right pictures, and what its filling does to that share over the same scenes."""
    about = {"model": row.model, "objects": row.objects, "steps": row.call["num_inference_steps"]}
    about |= {"filling": row.filling, "count": len(judged)}
    if not judged:
        return about
    names = ("correct", "background")
    shares = {name: share(sum(v[name] for v in judged.values()), len(judged)) for name in names}
    pairs = [(unfilled[i]["correct"], v["correct"]) for i, v in judged.items() if i in unfilled]
    return about | shares | {"more than unfilled": difference(pairs) if row.filling else None}


def to_markdown(rows: list[dict[str, Any]]) -> str:
    """A row a model, number of objects and of steps, and filling of the padding."""

    def points(value: dict[str, float] | None) -> str:
        return "" if value is None else "{fraction:+.1%} ({low:+.1%} to {high:+.1%})".format(**value)

    lines = [
        "| model | objects | padding | steps | images | all of the scene | more than unfilled | background |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r['model']}` | {r['objects']} | {r['filling'] or 'its own'} | {r['steps']} | {r['count']} | "
        f"{percent(r['correct'])} | {points(r['more than unfilled'])} | {percent(r['background'])} |"
        for r in rows
        if r["count"]
    ]
    about = "Right in so many pictures; in brackets 95% intervals: Wilson's, and Newcombe's for differences of pairs."
    return "\n".join([*lines, "", about, ""])


def main(
    only: Annotated[str, typer.Option(help="Models whose name holds this.")] = "",
    count: Annotated[int, typer.Option(min=1, help="Scenes a row.")] = 128,
    steps: Annotated[int | None, typer.Option(min=1, help="None: each model's own.")] = None,
    report: Annotated[bool, typer.Option("--report", help="Sample nothing; the table so far.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes of one thread each.")] = 2,
    out: Annotated[Path, typer.Option(help="Where the table goes.")] = RESULTS,
    verdict_file: Annotated[Path, typer.Option(help="Kept from run to run.")] = Path("runs/shipped.jsonl"),
    save_images: Annotated[Path | None, typer.Option(help="A folder for the pictures.")] = None,
) -> None:
    """Measure how often each shipped model draws its prompt."""
    from picturelab.models import fingerprint
    from shapeworld import WEIGHTS, model_names

    names = [name for name in model_names() if only in name]
    if not names:
        raise typer.BadParameter(f"no model's name holds {only!r}; models are {', '.join(model_names())}")
    rows = [Row(name, objects, count, steps) for name in names for objects in (1, 2)]
    rows += [Row(name, 2, count, steps, "repeat") for name in names if name in _FILLED]
    figures = measure(rows, verdict_file, 0 if report else workers, save_images)
    about = {
        "weights": {name: fingerprint(WEIGHTS / name) for name in names},
        "checker": judge_version(),
        "date": date.today().isoformat(),
        **{name: metadata.version(name) for name in ("torch", "diffusers")},
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "shipped.json").write_text(json.dumps({"about": about, "rows": figures}, indent=2) + "\n")
    (out / "shipped.md").write_text(to_markdown(figures))
    typer.echo(to_markdown(figures))


if __name__ == "__main__":
    typer.run(main)
