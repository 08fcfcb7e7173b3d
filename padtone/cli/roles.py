"""The command `padtone roles`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picturelab.cli.run import say
from picturelab.failures import printable_json
from picturelab.files import output_file, slug
from picturelab.worlds import DEFAULT_MODEL

from .loading import check_model, load
from .options import Length, Model, Prompt

if TYPE_CHECKING:
    from picturelab.pipeline import Pipeline

    from ..maths.roles import TokenRoles


def roles(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    max_length: Length = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Draw the tokens too: a file ending in .png.")] = None,
    carry: Annotated[
        bool,
        typer.Option(
            "--carry", help="Say how much each row changes with the prompt's words, and colour by it."
        ),
    ] = False,
) -> None:
    """Show what each text encoder makes of a prompt: tokens, ids and roles."""
    path = None if out is None else output_file(out, f"roles-{slug(prompt)}")
    check_model(model, prompt)
    from ..families.registry import family_of
    from ..interventions.ite import token_roles
    from ..recipe import SHEET, save_with_recipe
    from ..runs.request import text_arguments

    pipe = load(model, "cpu", None)
    options = text_arguments(pipe, model, max_length)
    entries = token_roles(pipe, prompt, **options)
    changes = _changes(pipe, prompt, options) if carry else None
    if path is not None:
        from ..reports.roles import roles_sheet

        save_with_recipe(
            roles_sheet(entries, prompt, carry=changes),
            path,
            {SHEET: "roles", "model": model, "prompt": prompt},
        )
    if as_json:
        values = [entry.to_dict() | _as_json(entry, changes) for entry in entries]
        typer.echo(printable_json(json.dumps(values, ensure_ascii=False, allow_nan=False)))
        return
    for entry in entries:
        where = (
            "pooled vector only"
            if entry.rows is None
            else f"rows {entry.rows.start} to {entry.rows.stop - 1}"
        )
        say(f"{entry.name}: {len(entry.ids)} tokens, {where}")
        for line in _runs(entry, (changes or {}).get(entry.name)):
            say(f"  {line}")
    family = family_of(pipe)
    say(f"{family.title}: {family.note}")
    say(_found(entries, family.denoiser_masks, changes))


def _found(entries: Sequence[TokenRoles], masked: bool, changes: dict[str, list[float]] | None) -> str:
    """How much of the denoiser's text is padding, and what becomes of it."""
    from ..maths.roles import shared_rows

    stretches = shared_rows(entries)
    rows = sum(len(stretch.rows) for stretch in stretches)
    padding = sum(len(stretch.at("padding")) for stretch in stretches)
    if not padding:
        return f"none of the denoiser's {rows} rows of text is padding"
    what = "it masks them" if masked else "it attends to them"
    sentence = (
        f"{padding} of the denoiser's {rows} rows of text are padding ({padding / rows:.0%}), and {what}"
    )
    own = [
        change
        for entry in entries
        for change, role in zip((changes or {}).get(entry.name, ()), entry.roles, strict=False)
        if role == "padding" and not math.isnan(change)
    ]
    if not own:
        return f"{sentence}; whether that matters `padtone audit` tells"
    mean = sum(own) / len(own)
    return f"{sentence}; one word replaced changes them {mean:.2f} times as much as another prompt does"


def _changes(pipe: Pipeline, prompt: str, options: dict[str, Any]) -> dict[str, list[float]]:
    """The change of each row where one word is replaced, by encoder; those with a pooled vector only are left out."""
    from ..interventions.sensitivity import sensitivity

    result = sensitivity(pipe, prompt, changes=1, **options)
    return {text.name: text.of_rows().tolist() for text in result.texts if not text.pooled}


def _as_json(entry: TokenRoles, changes: dict[str, list[float]] | None) -> dict[str, Any]:
    if changes is None:
        return {}
    from ..maths.sensitivity import plain

    own = changes.get(entry.name)
    return {"carry": None if own is None else [plain(change) for change in own]}


def _runs(entry: TokenRoles, changes: list[float] | None) -> list[str]:
    """One line per token, but one per run of the same padding."""
    lines, i = [], 0
    while i < len(entry.ids):
        end = i + 1
        while end < len(entry.ids) and (entry.ids[end], entry.roles[end]) == (entry.ids[i], "padding"):
            end += 1
        place = str(i) if end - i == 1 or entry.roles[i] != "padding" else f"{i}-{end - 1}"
        end = end if entry.roles[i] == "padding" else i + 1
        change = "" if changes is None else f"{_span(changes[i:end]):<11}  "
        lines.append(f"{place:>8}  {entry.roles[i]:<8}  {change}{entry.ids[i]:>7}  {entry.tokens[i]}")
        i = end
    return lines


def _span(changes: list[float]) -> str:
    """The least and the greatest of some numbers; one where they are alike, "-" where they are none."""
    if any(map(math.isnan, changes)):
        return "-"
    return "-".join(dict.fromkeys(f"{end:.2f}" for end in (min(changes), max(changes))))
