"""The command `padtone roles`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picturelab.cli.run import say
from picturelab.failures import printable_json
from picturelab.files import output_file, slug
from picturelab.worlds import DEFAULT_MODEL

from .loading import load
from .options import Length, Model, Prompt

if TYPE_CHECKING:
    from ..maths.roles import TokenRoles


def roles(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    max_length: Length = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(help="Draw the tokens too: a file ending in .png.")] = None,
) -> None:
    """Show what each text encoder makes of a prompt: tokens, ids and roles."""
    path = None if out is None else output_file(out, f"roles-{slug(prompt)}")
    from ..families.registry import family_of
    from ..interventions.ite import token_roles
    from ..recipe import save_with_recipe
    from ..reports.roles import roles_sheet
    from ..runs.request import call_arguments

    pipe = load(model, "cpu", None)
    options = {
        key: value
        for key, value in call_arguments(pipe, model, max_length=max_length).items()
        if key == "max_sequence_length"
    }
    entries = token_roles(pipe, prompt, **options)
    if path is not None:
        save_with_recipe(roles_sheet(entries, prompt), path, None)
    if as_json:
        typer.echo(printable_json(json.dumps([entry.to_dict() for entry in entries], ensure_ascii=False)))
        return
    for entry in entries:
        where = (
            "pooled vector only"
            if entry.rows is None
            else f"rows {entry.rows.start} to {entry.rows.stop - 1}"
        )
        say(f"{entry.name}: {len(entry.ids)} tokens, {where}")
        for line in _runs(entry):
            say(f"  {line}")
    family = family_of(pipe)
    say(f"{family.title}: {family.note}")


def _runs(entry: TokenRoles) -> list[str]:
    """One line per token, but one per run of the same padding."""
    lines, i = [], 0
    while i < len(entry.ids):
        end = i + 1
        while end < len(entry.ids) and (entry.ids[end], entry.roles[end]) == (entry.ids[i], "padding"):
            end += 1
        place = str(i) if end - i == 1 or entry.roles[i] != "padding" else f"{i}-{end - 1}"
        end = end if entry.roles[i] == "padding" else i + 1
        lines.append(f"{place:>8}  {entry.roles[i]:<8}  {entry.ids[i]:>7}  {entry.tokens[i]}")
        i = end
    return lines
