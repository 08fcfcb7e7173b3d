"""A validation's folder, and the figures of all methods that come out of it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from picturelab.recipes import versions
from picturelab.runs.folder import RunFolder
from picturelab.runs.places import is_whole

from ..sampling import recipe as recipes
from .validate_settings import DIRECT, SCALED, ValidationSettings

VERSION = 2  # of report.json: since 2 there may be methods beside the first two, and each has its ratios


def run_folder(folder: Path) -> RunFolder:
    """A validation's folder."""
    return RunFolder(folder, "a validation", recipes.CHUNK)


def piece_key(size: tuple[int, int], method: str, i: int) -> str:
    return f"{size[1]}x{size[0]}-{method.replace(' ', '-')}-{i:02}"


class PieceNotes(BaseModel):
    """What a finished piece wrote down: what a picture took and what a judge said of it, or why there is none.

    Attributes:
        speckle: of the flattest part of a transformer's picture, see `flat_areas`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)  # a judge has names of its own
    __pydantic_extra__: dict[str, bool]

    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    peak_bytes: int | None = Field(default=None, gt=0)
    speckle: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    error: str | None = None

    @property
    def is_complete(self) -> bool:
        return (self.error is None) == (self.seconds is not None and self.peak_bytes is not None)


def is_done(
    run: RunFolder, settings: ValidationSettings, size: tuple[int, int], method: str, i: int, judged: bool
) -> bool:
    """Whether a piece has notes that can be read, and its picture, undamaged and its own.

    Args:
        judged: whether something judges the pictures.
    """
    key = piece_key(size, method, i)
    try:
        notes = PieceNotes.model_validate(run.piece(key))
    except ValueError:  # there are none, or not of this kind
        return False
    if not notes.is_complete or (judged and notes.error is None) != bool(notes.model_extra):
        return False
    recipe = {
        "model": settings.model,
        "revision": settings.revision,
        "prompt": settings.prompts[i],
        "seed": settings.seed + i,
        "height": size[0],
        "width": size[1],
        "steps": settings.steps,
        "guidance": settings.guidance,
        "config": settings.configs[method],
    }
    return notes.error is not None or is_whole(run.folder / "images" / f"{key}.png", recipes.CHUNK, recipe)


def results(settings: ValidationSettings, run: RunFolder) -> dict[str, Any]:
    """The content of report.json: per size the figures of each method, and every picture's."""
    images: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    for size in settings.sizes:
        height, width = size
        notes = {
            method: [run.piece(piece_key(size, method, i)) or {} for i in range(len(settings.prompts))]
            for method in settings.configs
        }
        figures = {method: _figures(own) for method, own in notes.items()}
        for method in figures.keys() - {DIRECT}:
            figures[method] |= _ratios(notes[DIRECT], notes[method])
        # As before there were further methods, beside the figures: those of the first one.
        ratios = _ratios(notes[DIRECT], notes[SCALED])
        sizes.append({"height": height, "width": width, **figures, **ratios})
        images += [
            {
                "height": height,
                "width": width,
                "method": method,
                "prompt": i,
                "file": f"images/{piece_key(size, method, i)}.png" if "seconds" in note else None,
                **note,
            }
            for method, own in notes.items()
            for i, note in enumerate(own)
        ]
    return {
        "version": VERSION,
        "settings": settings.model_dump(),
        "versions": versions(),
        "sizes": sizes,
        "images": images,
    }


def _figures(notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    pictures = [note for note in notes if "seconds" in note]
    speckles = [note["speckle"] for note in pictures if "speckle" in note]
    judgements = sorted(
        {name for note in pictures for name, value in note.items() if isinstance(value, bool)}
    )
    return {
        "pictures": len(pictures),
        "out_of_memory": len(notes) - len(pictures),
        "seconds": statistics.median(note["seconds"] for note in pictures) if pictures else None,
        "peak_bytes": max((note["peak_bytes"] for note in pictures), default=None),
        **({"speckle": statistics.median(speckles)} if speckles else {}),
        **{name: sum(note[name] for note in pictures) for name in judgements},
    }


def _ratios(
    direct: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """A method's time and memory over those of direct sampling, from the prompts of which both have a picture."""
    pairs = [(d, f) for d, f in zip(direct, ours, strict=True) if "seconds" in d and "seconds" in f]
    if not pairs:
        return {"time_ratio": None, "memory_ratio": None}
    return {
        "time_ratio": statistics.median(f["seconds"] / d["seconds"] for d, f in pairs),
        "memory_ratio": _figures(ours)["peak_bytes"] / _figures(direct)["peak_bytes"],
    }


def labels(settings: Mapping[str, Any]) -> dict[str, str]:
    """{method: what people read}, in their order.

    Args:
        settings: those of report.json.
    """
    configs = {SCALED: settings["config"], **settings["further"]}
    if len(configs) == 1:
        return {DIRECT: DIRECT, SCALED: SCALED}
    return {DIRECT: DIRECT, **{method: f"{config['mode']} mode" for method, config in configs.items()}}


def sentence(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What came out at one size, in words.

    Args:
        row: an entry of `sizes` in report.json.
        names: `labels`.
    """
    lost = [f"{row[m]['out_of_memory']} of {name}" for m, name in names.items() if row[m]["out_of_memory"]]
    parts = [f"out of memory: {' and '.join(lost)}"] if lost else []
    scaled = {method: name for method, name in names.items() if method != DIRECT}
    parts += [
        f"{name} took {row[method]['time_ratio']:.2f} times as long as direct sampling and "
        f"{row[method]['memory_ratio']:.2f} times the memory"
        for method, name in scaled.items()
        if row[method]["time_ratio"] is not None
    ]
    if all("repeated" in row[method] for method in names):
        counts = [f"{row[DIRECT]['repeated']} of {row[DIRECT]['pictures']} direct"]
        counts += [f"{row[m]['repeated']} of {row[m]['pictures']} with {name}" for m, name in scaled.items()]
        parts.append(f"repeated: {', '.join(counts)}")
    return "; ".join(parts)
