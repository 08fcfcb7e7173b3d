"""A page that leads to several reports, and shows their models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from picturelab.failures import told_as
from picturelab.files import write_whole
from picturelab.reports.pages import environment

from ..audit.arms import ANOTHER_SEED
from .deciding import came_in, deciding_sentence
from .evidence import attributes
from .number import number_sentence

_CHANGED = {  # by likeness to the full picture: group and arm
    "another seed": ("ite", ANOTHER_SEED),
    "prompt, empty padding": ("ite", "prompt"),
    "another prompt's padding": ("ite", "other padding"),
    "fewest padding kept": ("keep", ""),
}
_CARRIED = {  # by likeness to the own prompt's picture
    "padding alone": ("ite", "padding"),
    "in diffusion": ("idp", "padding"),
    "end token alone": ("ite", "eos"),
    "empty text": ("ite", "clean"),
}
_INSIDE = "padding alone, in diffusion"
_ALONE = ("padding alone", _INSIDE, "end token alone")


def write_index(reports: Mapping[str, Mapping[str, Any]], folder: Path) -> Path:
    """Write `index.html`.

    Args:
        reports: {subfolder: content of its report.json}.

    Raises:
        ValueError: it cannot be written.
    """
    page = environment("padtone.reports").get_template("index.html.j2")
    path = folder / "index.html"
    with told_as(f"{path} cannot be written", OSError):
        write_whole(
            path, page.render(reports=reports, **_sentences(reports), **_side_by_side(reports)), sync=True
        )
    return path


def _sentences(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """How many can go and what decided, by folder; and under which table which models' IDP says nothing."""
    written = [str(results["model"]).rpartition("/")[2] for results in reports.values() if came_in(results)]
    return {
        "numbers": {folder: number_sentence(results) for folder, results in reports.items()},
        "deciding": {folder: deciding_sentence(results) for folder, results in reports.items()},
        "came_in": {text: written if text == _INSIDE else [] for text in _ALONE},
    }


def _side_by_side(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from .charts import models_chart

    names = {folder: str(results["model"]).rpartition("/")[2] for folder, results in reports.items()}
    names = names if len(set(names.values())) == len(names) else {folder: folder for folder in names}
    of_kind = {
        label: {
            names[folder]: {heading: _figure(results, *where, figure) for heading, where in arms.items()}
            for folder, results in reports.items()
        }
        for label, arms, figure in (
            ("likeness to the own prompt's picture", _CARRIED, "own_full"),
            ("likeness to the full picture", _CHANGED, "to_full"),
        )
    }
    by_model = {names[folder]: attributes(results) for folder, results in reports.items()}
    tables = {
        text: {model: table[text] for model, table in by_model.items() if text in table} for text in _ALONE
    }
    return {
        "charts": {label: models_chart(models, label) for label, models in of_kind.items()},
        "tables": {text: table for text, table in tables.items() if table},
    }


def _figure(results: Mapping[str, Any], group: str, arm: str, figure: str) -> Mapping[str, Any] | None:
    """None: the model has no such arm."""
    own = results["keep_k"]["curve"][0] if group == "keep" else (results["arms"][group] or {}).get(arm)
    found: Mapping[str, Any] | None = None if own is None else own[figure]
    return found
