"""Direct sampling against FouriScale on somebody's own model: pictures, time and memory in one folder.

No hub model can be reached where this package is built, so what it does with real weights is for those to see
who have them; `report.json` is what they can send.
"""

from __future__ import annotations

import itertools
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from pydantic import model_validator

from picturelab import worlds
from picturelab.files import configs_folder
from picturelab.memory import peak_memory
from picturelab.models import origin
from picturelab.pipeline import UNetPipeline
from picturelab.runs.folder import OnProgress, RunFolder
from picturelab.settings import Settings

from ..config import FouriScaleConfig
from ..sampling import recipe as recipes
from ..sampling.generate import check_request, generate

METHODS = ("direct", "FouriScale")
Judge = Callable[[Image.Image, int], dict[str, bool]]


def store(folder: Path) -> RunFolder:
    """A validation's folder."""
    return RunFolder(folder, "a validation", recipes.CHUNK)


class ValidationSettings(Settings):
    """What a validation is run with; a killed one goes on only with the same.

    Raises:
        ValueError: a value is out of range, or there is no prompt or no size.
    """

    model: str
    """A name, for the report."""

    revision: str | None
    """Of its weights."""

    prompts: tuple[str, ...]
    """Picture i of every size and method is of prompt i."""

    sizes: tuple[tuple[int, int], ...]
    """(height, width) in pixels."""

    seed: int
    """Of the first prompt's noise; the next prompt's is one higher."""

    steps: int
    """Of every picture."""

    guidance: float
    """Of every picture."""

    config: dict[str, Any]
    """FouriScale's settings."""

    precision: str
    """The weights' dtype."""

    device: str
    """Where it runs, such as "cuda (NVIDIA A100-SXM4-80GB)"."""

    @model_validator(mode="after")
    def _check(self) -> ValidationSettings:
        if not self.prompts or not self.sizes:
            raise ValueError(
                f"{len(self.prompts)} prompts and {len(self.sizes)} sizes: give at least one each"
            )
        seeds = range(self.seed, self.seed + len(self.prompts))
        for height, width in self.sizes:
            check_request(height, width, seeds, self.steps, self.guidance)
        return self


def our_prompts() -> tuple[str, ...]:
    """A dozen prompts whose failures are easily seen: one subject, one horizon."""
    return tuple((configs_folder() / "validate.txt").read_text(encoding="utf-8").splitlines())


def validate(
    pipe: UNetPipeline,
    settings: ValidationSettings,
    folder: Path,
    judge: Judge | None = None,
    progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Sample every prompt at every size directly and with FouriScale; what is done already is kept.

    The two methods take turns in going first. A picture that does not fit into the device's memory is
    noted, and the run goes on.

    Args:
        pipe: a text-to-image pipeline with a UNet; left as it was.
        settings: what to make.
        folder: for pictures and notes; empty, new, or of the same settings.
        judge: says of picture i what is true of it, such as {"repeated": False}; None where nothing can.
        progress: called with (what, pieces done, pieces in all).

    Returns:
        The content of report.json.

    Raises:
        ValueError: the folder holds something else, or FouriScale cannot be applied to the pipeline.
    """
    run = store(folder)
    run.begin(settings.model_dump())
    pieces = list(_pieces(settings))
    warm: set[tuple[tuple[int, int], str]] = set()
    for done, (size, method, i) in enumerate(pieces):
        if progress:
            progress("pictures", done, len(pieces))
        key = _key(size, method, i)
        if run.piece(key) is None:
            if (size, method) not in warm:
                _sample(pipe, settings, size, method, i, steps=1)  # kernels are chosen in a shape's first run
                warm.add((size, method))
            notes, picture = _sample(pipe, settings, size, method, i, steps=settings.steps)
            if picture is None:
                run.finish(key, notes, {})
                continue
            notes |= judge(picture.image, i) if judge else {}
            run.finish(key, notes, {f"{key}.png": (picture.image, picture.recipe.model_dump())})
    if progress:
        progress("pictures", len(pieces), len(pieces))
    return results(settings, run)


def _pieces(settings: ValidationSettings) -> Iterator[tuple[tuple[int, int], str, int]]:
    for size, i in itertools.product(settings.sizes, range(len(settings.prompts))):
        for method in METHODS if i % 2 == 0 else METHODS[::-1]:
            yield size, method, i


def _key(size: tuple[int, int], method: str, i: int) -> str:
    return f"{size[1]}x{size[0]}-{method}-{i:02}"


def _sample(
    pipe: UNetPipeline, settings: ValidationSettings, size: tuple[int, int], method: str, i: int, steps: int
) -> tuple[dict[str, Any], Any]:
    """(notes, picture); the picture is None where memory ran out."""
    config = FouriScaleConfig.from_dict(settings.config) if method == "FouriScale" else None
    begun = time.perf_counter()
    try:
        with peak_memory(pipe.device) as peak:
            (picture,) = generate(
                pipe,
                settings.prompts[i],
                height=size[0],
                width=size[1],
                seed=settings.seed + i,
                steps=steps,
                guidance=settings.guidance,
                config=config,
            )
        # The picture lies in the host's memory, so the device has finished.
        return {"seconds": time.perf_counter() - begun, "peak_bytes": peak.bytes}, picture
    except torch.OutOfMemoryError:
        pass  # and go on out here, where the exception no longer holds on to the tensors
    torch.cuda.empty_cache()
    return {"error": "out of memory"}, None


def results(settings: ValidationSettings, run: RunFolder) -> dict[str, Any]:
    """The content of report.json: per size the figures of both methods, and every picture's."""
    images: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    for size in settings.sizes:
        notes = {
            method: [run.piece(_key(size, method, i)) or {} for i in range(len(settings.prompts))]
            for method in METHODS
        }
        figures = {method: _figures(notes[method]) for method in METHODS}
        direct, ours = (figures[method] for method in METHODS)
        pairs = [(d, f) for d, f in zip(*notes.values(), strict=True) if "seconds" in d and "seconds" in f]
        sizes.append(
            {
                "height": size[0],
                "width": size[1],
                **figures,
                "time_ratio": statistics.median(f["seconds"] / d["seconds"] for d, f in pairs)
                if pairs
                else None,
                "memory_ratio": ours["peak_bytes"] / direct["peak_bytes"] if pairs else None,
            }
        )
        images += [
            {
                "height": size[0],
                "width": size[1],
                "method": method,
                "prompt": i,
                "file": f"images/{_key(size, method, i)}.png" if "seconds" in note else None,
                **note,
            }
            for method in METHODS
            for i, note in enumerate(notes[method])
        ]
    return {
        "settings": settings.model_dump(),
        "versions": recipes.versions(),
        "sizes": sizes,
        "images": images,
    }


def _figures(notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    pictures = [note for note in notes if "seconds" in note]
    judgements = sorted(
        {name for note in pictures for name, value in note.items() if isinstance(value, bool)}
    )
    return {
        "pictures": len(pictures),
        "out_of_memory": len(notes) - len(pictures),
        "seconds": statistics.median(note["seconds"] for note in pictures) if pictures else None,
        "peak_bytes": max((note["peak_bytes"] for note in pictures), default=None),
        **{name: sum(note[name] for note in pictures) for name in judgements},
    }


@dataclass(frozen=True)
class JudgedPrompts:
    """Prompts whose pictures can be judged."""

    prompts: tuple[str, ...]
    judge: Judge


def shipped_world(model: str, seed: int) -> JudgedPrompts | None:
    """A dozen captions of a shipped model's world, and the checker that knows their scenes; else None."""
    shipped = worlds.split(model)
    if shipped is None:
        return None
    world, _ = shipped
    scenes = world.scenes(len(our_prompts()), seed, objects=1)

    def judge(image: Image.Image, i: int) -> dict[str, bool]:
        report = world.check(image, scenes[i])
        return {"repeated": report.repeated, "correct": report.correct}

    return JudgedPrompts(tuple(scene.caption for scene in scenes), judge)


def settings_for(
    pipe: UNetPipeline,
    config: FouriScaleConfig,
    *,
    prompts: Sequence[str],
    scales: Sequence[float],
    seed: int,
    steps: int,
    guidance: float,
) -> ValidationSettings:
    """A validation's settings for a loaded pipeline, at `scales` times its training size.

    Raises:
        ValueError: a value is out of range.
    """
    for scale in scales:
        if not 1 < scale <= 8:
            raise ValueError(f"scale={scale:g}: must be above 1 and at most 8 times the training size")
    where = origin(pipe)
    return ValidationSettings(
        model=where.model,
        revision=where.revision,
        prompts=tuple(prompts),
        sizes=tuple(config.scaled_size(scale) for scale in scales),
        seed=seed,
        steps=steps,
        guidance=guidance,
        config=config.to_dict(),
        precision=str(pipe.dtype).removeprefix("torch."),
        device=_in_words(pipe.device),
    )


def sentence(row: Mapping[str, Any]) -> str:
    """What came out at one size, in words.

    Args:
        row: an entry of `sizes` in report.json.
    """
    direct, ours = (row[method] for method in METHODS)
    lost = [f"{row[m]['out_of_memory']} of {m}" for m in METHODS if row[m]["out_of_memory"]]
    parts = [f"out of memory: {' and '.join(lost)}"] if lost else []
    if row["time_ratio"] is not None:
        parts.append(
            f"FouriScale took {row['time_ratio']:.2f} times as long as direct sampling and "
            f"{row['memory_ratio']:.2f} times the memory"
        )
    if "repeated" in direct and "repeated" in ours:
        parts.append(
            f"repeated: {direct['repeated']} of {direct['pictures']} direct, "
            f"{ours['repeated']} of {ours['pictures']} with FouriScale"
        )
    return "; ".join(parts)


def _in_words(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device.type} ({name})"
