"""Direct sampling against FouriScale on somebody's own model: pictures, time and memory in one folder.

No hub model can be reached where this package is built, so what it does with real weights is for those to see
who have them; `report.json` is what they can send.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from picturelab import worlds
from picturelab.failures import told_as
from picturelab.files import configs_folder
from picturelab.memory import peak_memory
from picturelab.pipeline import Pipeline
from picturelab.recipes import versions
from picturelab.runs.folder import OnProgress
from picturelab.runs.places import check_folder, free_places

from ..config_kinds import config_of
from ..sampling.generate import generate
from ..sampling.transformers import has_transformer
from .flat_areas import flattest_area
from .validate_figures import is_done, piece_key, results, run_folder
from .validate_settings import ValidationSettings

SceneJudge = Callable[[Image.Image, int], dict[str, bool]]


def our_prompts() -> tuple[str, ...]:
    """A dozen prompts whose failures are easily seen: one subject, one horizon."""
    return tuple((configs_folder() / "validate.txt").read_text(encoding="utf-8").splitlines())


def validate(
    pipe: Pipeline,
    settings: ValidationSettings,
    folder: Path,
    judge: SceneJudge | None = None,
    progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Sample every prompt at every size directly and with FouriScale; what is done already is kept.

    The methods take turns in going first. A picture that does not fit into the device's memory is
    noted, and the run goes on.

    Args:
        pipe: a text-to-image pipeline with a UNet or a transformer that FouriScale knows; left as it was.
        settings: what to make.
        folder: for pictures and notes; empty, new, or of the same settings.
        judge: says of picture i what is true of it, such as {"repeated": False}; None where nothing can.
        progress: called with (what, pieces done, pieces in all).

    Returns:
        The content of report.json.

    Raises:
        ValueError: the folder holds something else or cannot be written, or FouriScale cannot be applied to the
            pipeline.
    """
    run = run_folder(folder)
    check_folder(folder)
    with told_as(f"{folder} cannot be written", OSError):
        run.begin(settings.model_dump() | _surroundings(pipe))
    free_places(folder)
    pieces = list(_pieces(settings))
    warm: set[tuple[tuple[int, int], str]] = set()
    for done, (size, method, i) in enumerate(pieces):
        if progress:
            progress("pictures", done, len(pieces))
        key = piece_key(size, method, i)
        if not is_done(run, settings, size, method, i, judge is not None):
            if (size, method) not in warm:
                _sample(pipe, settings, size, method, i, steps=1)  # kernels are chosen in a shape's first run
                warm.add((size, method))
            notes, picture = _sample(pipe, settings, size, method, i, steps=settings.steps)
            if picture is None:
                run.finish(key, notes, {})
                continue
            notes |= judge(picture.image, i) if judge else {}
            if has_transformer(pipe):
                notes["speckle"] = flattest_area(picture.image).speckle
            run.finish(key, notes, {f"{key}.png": (picture.image, picture.recipe.model_dump())})
    if progress:
        progress("pictures", len(pieces), len(pieces))
    return results(settings, run)


def _surroundings(pipe: Pipeline) -> dict[str, Any]:
    """What pictures and times depend on besides the settings."""
    scheduler = {name: value for name, value in pipe.scheduler.config.items() if not name.startswith("_")}
    return {
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "scheduler": {"class": type(pipe.scheduler).__name__, **scheduler},
    }


def _pieces(settings: ValidationSettings) -> Iterator[tuple[tuple[int, int], str, int]]:
    methods = list(settings.configs)
    for size, i in itertools.product(settings.sizes, range(len(settings.prompts))):
        first = i % len(methods)
        for method in methods[first:] + methods[:first]:
            yield size, method, i


def _sample(
    pipe: Pipeline, settings: ValidationSettings, size: tuple[int, int], method: str, i: int, steps: int
) -> tuple[dict[str, Any], Any]:
    """(notes, picture); the picture is None where memory ran out."""
    own = settings.configs[method]
    config = None if own is None else config_of(own)
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


@dataclass(frozen=True)
class JudgedPrompts:
    """Prompts whose pictures can be judged."""

    prompts: tuple[str, ...]
    judge: SceneJudge


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
