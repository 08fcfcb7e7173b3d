"""The paper's studies: a model, its settings, and the paper's figures to put ours beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, FiniteFloat, field_validator

from picturelab.settings import Settings, shortened
from picturelab.textfiles import read_yaml

from .prompts import studies_folder
from .settings import Count, Seeds, check_numbers


class Study(Settings):
    """One study, as `configs/studies/*.yaml` says it.

    Raises:
        ValueError: a value is missing, of the wrong type, or of a name that is none.
    """

    title: str
    """For people."""
    model: str
    """A hub id."""
    seeds: Seeds
    """Pictures per prompt and arm."""
    count: Count
    """Prompts of our collection."""
    call: dict[str, Any]
    """Arguments for the pipeline's call."""
    setup: str
    """How the paper measured."""
    paper: dict[str, FiniteFloat] = Field(default_factory=dict)
    """{name of a figure: value}; a name is "GROUP ARM FIGURE", such as "ite padding to_prompt"."""
    note: str = ""
    """What a reader should know; "" nothing."""

    @field_validator("call")
    @classmethod
    def _check_call(cls, call: dict[str, Any]) -> dict[str, Any]:
        check_numbers(call)
        return call

    @field_validator("paper")
    @classmethod
    def _check_names(cls, paper: dict[str, float]) -> dict[str, float]:
        for name in paper:
            _split(name)
        return paper


def load_study(name: str) -> Study:
    """A study by its name in configs/studies, or from a file.

    Raises:
        ValueError: there is none, or it has a wrong, missing or unknown key.
    """
    folder = studies_folder()
    known = sorted(p.stem for p in folder.glob("*.yaml") if p.stem != "prompts")
    if Path(name).suffix.lower() in (".yaml", ".yml"):
        path = Path(name)
    elif name in known:
        path = folder / f"{name}.yaml"
    else:
        raise ValueError(f"study is {shortened(repr(name), 80)}; it can be {', '.join(known)} or a YAML file")
    values = read_yaml(path)
    keys = list(Study.model_fields)
    if not isinstance(values, dict):
        raise ValueError(f"{path} must be a mapping with {', '.join(keys)}")
    unknown = sorted(map(str, values.keys() - set(keys)))
    missing = [n for n, f in Study.model_fields.items() if f.is_required() and n not in values]
    if unknown or missing:
        what = f"does not know {', '.join(unknown)}" if unknown else f"lacks {', '.join(missing)}"
        raise ValueError(f"{path} {what}; a study has {', '.join(keys)}")
    try:
        return Study(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def beside_paper(study: Study, results: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's figures and ours, one row each. KID is multiplied by 1000, as the paper prints it."""
    rows = []
    for name, value in study.paper.items():
        group, arm, figure = _split(name)
        # The clean text's pictures are the same inside the denoiser and before it.
        where = "ite" if arm in ("full", "clean") else group
        ours = results["arms"][where].get(arm, {}).get(figure)
        factor = 1000 if figure == "kid" else 1
        mean = None if ours is None else round(factor * ours["mean"], 6)
        rows.append(
            {"name": _words(group, arm, figure), "paper": value, "ours": mean, "text": _text(ours, factor)}
        )
    return {"title": study.title, "setup": study.setup, "note": study.note, "rows": rows}


def _split(name: str) -> tuple[str, str, str]:
    group, _, rest = name.partition(" ")
    arm, _, figure = rest.rpartition(" ")
    if group not in ("ite", "idp") or figure not in ("to_prompt", "to_full", "kid") or not arm:
        raise ValueError(
            f"the paper's figure {name!r} is no GROUP ARM FIGURE such as 'ite padding to_prompt'; groups are ite "
            "and idp, figures to_prompt, to_full and kid"
        )
    return group, arm, figure


def _words(group: str, arm: str, figure: str) -> str:
    names = {
        "to_prompt": "CLIP score to the prompt",
        "to_full": "CLIP to the full picture",
        "kid": "KID x 1000",
    }
    return f"{group.upper()}, {arm}: {names[figure]}"


def _text(ours: Mapping[str, Any] | None, factor: int) -> str | None:
    if ours is None:
        return None
    if "deviation" in ours:
        return f"{factor * ours['mean']:.2f} ± {factor * ours['deviation']:.2f}"
    return f"{ours['mean']:.3f} ({ours['low']:.3f} to {ours['high']:.3f})"
