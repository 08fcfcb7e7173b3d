"""The command `padtone sensitivity`. Heavy imports wait until it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from picturelab.cli.arguments import Bounded
from picturelab.cli.options import Device, Dtype
from picturelab.cli.progress import stage_bars
from picturelab.cli.run import say
from picturelab.extras import require
from picturelab.failures import printable_json
from picturelab.files import output_file, slug
from picturelab.worlds import DEFAULT_MODEL

from .loading import check_model, load
from .options import OUTPUTS, Length, Model, Out, Prompt

if TYPE_CHECKING:
    from ..maths.sensitivity import RowChanges, Sensitivity


def sensitivity(
    prompt: Prompt,
    model: Model = DEFAULT_MODEL,
    changes: Annotated[
        int,
        typer.Option(
            parser=Bounded("changes", "batch"), metavar="<int>", help="Most words to replace at once."
        ),
    ] = 3,
    draws: Annotated[
        int,
        typer.Option(
            parser=Bounded("draws", "batch"),
            metavar="<int>",
            help="Random choices of words, and replacements of each word.",
        ),
    ] = 5,
    seed: Annotated[int, typer.Option(parser=Bounded("seed"), metavar="<int>", help="Of the draws.")] = 0,
    words: Annotated[
        Path | None, typer.Option(help="YAML: kinds and their words, which replace one another.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Unrelated prompts: one a line, or YAML: kinds and their prompts.")
    ] = None,
    out: Out = OUTPUTS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    max_length: Length = None,
    device: Device = None,
    dtype: Dtype = None,
) -> None:
    """Replace words of a prompt: how much does each row of its encoding change, padding included?"""
    require("padtone sensitivity", "audit", "matplotlib")
    path = output_file(out, f"sensitivity-{slug(prompt)}")
    check_model(model, prompt, dtype=dtype)
    from ..audit.prompts import read_prompts
    from ..interventions.sensitivity import sensitivity as measure
    from ..interventions.words import read_words
    from ..recipe import SHEET, save_with_recipe
    from ..reports.sensitivity import sensitivity_chart
    from ..runs.request import text_arguments

    kinds = None if words is None else read_words(words)
    unrelated = None if prompts is None else read_prompts(prompts).texts
    pipe = load(model, device, dtype)
    with stage_bars() as progress:
        result = measure(
            pipe,
            prompt,
            words=kinds,
            unrelated=unrelated,
            changes=changes,
            draws=draws,
            seed=seed,
            on_progress=progress,
            **text_arguments(pipe, model, max_length),
        )
    save_with_recipe(
        sensitivity_chart(result), path, {SHEET: "sensitivity", "model": model, "prompt": prompt}
    )
    if as_json:
        typer.echo(printable_json(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)))
        return
    for line in _lines(result):
        say(line)
    for text in result.texts:
        if sentence := _found(text):
            say(sentence)
    say(f"1 is as much as another prompt: {path}")


def _found(text: RowChanges) -> str | None:
    """How much of a change of one word reaches an encoder's padding; None: it has none, or nothing to compare with."""
    from ..maths.sensitivity import WORD

    moved = text.changes.get("padding", (None,))[0]
    if moved is None:
        return None
    own = text.changes.get(WORD, (None,))[0]
    beside = f", the word's own rows {own:.2f} times" if own is not None else ""
    return (
        f"{text.name}: one word replaced moves the padding's rows {moved:.2f} times as far as another prompt does"
        f"{beside}"
    )


def _lines(result: Sensitivity) -> list[str]:
    lines = []
    for text in result.texts:
        titles = [f"{count} word{'s' if count > 1 else ''}" for count in result.counts]
        lines += _table(f"{text.name}, words replaced", [*titles, "exponent"], _growth(text))
        words = [text.of_word(i) for i in range(len(result.words))]
        parts = list(dict.fromkeys(part for word in words for part in word))
        rows = [
            (name, [word.get(part) for part in parts]) for name, word in zip(result.words, words, strict=True)
        ]
        lines += _table(f"{text.name}, this word replaced", parts, rows)
    if result.unreplaced:
        lines.append(
            f"not replaced, for lack of a word of the same kind and length: {', '.join(result.unreplaced)}"
        )
    return lines


def _growth(text: RowChanges) -> list[tuple[str, Sequence[float | None]]]:
    return [(part, (*values, text.exponents[part])) for part, values in text.changes.items()]


def _table(
    title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]
) -> list[str]:
    widths = [max(len(column), 5) for column in columns]
    first = max(len(title), *(len(name) + 2 for name, _ in rows))
    cells = [(title, columns), *((f"  {name}", list(map(_number, values))) for name, values in rows)]
    return [
        "  ".join(
            [name.ljust(first), *(word.rjust(width) for word, width in zip(words, widths, strict=True))]
        )
        for name, words in cells
    ]


def _number(value: float | None) -> str:
    """Two decimals; "-" for what is not there or has nothing to compare with."""
    return "-" if value is None or value != value else f"{value:.2f}"
