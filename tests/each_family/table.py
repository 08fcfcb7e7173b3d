"""The table of families in docs/padtone.md, made of their entries and of what a run of these tests found."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from padtone.families.family import Family
from padtone.families.registry import family_of, known_families
from tests.tiny import text_pipelines

RAN = pytest.StashKey()  # {(name of a tiny pipeline, column)} of which a test ran
FAILED = pytest.StashKey()
PAGE = Path(__file__).parents[2] / "docs" / "padtone.md"
COLUMNS = ("roles", "mask", "trim", "ite", "idp")

_HEAD = (
    "| pipeline | encoders: padded length, padding token, mask | denoiser masks padding | text in attention "
    "| roles | mask | trim | ITE | IDP | note |"
)
_TABLE = re.compile(r"\| pipeline \| encoders:[^\n]*\n(?:\|[^\n]*\n)*")


def found(ran: set, failed: set) -> dict[str, dict[str, str]]:
    """{pipeline class: {column: what the tests found}}; classes that are refused altogether have no tiny pipeline."""
    words: dict[str, dict[str, str]] = {}
    for name in text_pipelines.ALL:
        pipe = text_pipelines.pipeline(name)
        row = words.setdefault(type(pipe).__name__, dict.fromkeys(COLUMNS, ""))
        for column in COLUMNS:
            word = "fails" if (name, column) in failed else word_of(family_of(pipe), column)
            row[column] = (
                word if (name, column) in ran and row[column] != "fails" else row[column] or "not run"
            )
    return words


def word_of(family: Family, column: str) -> str:
    """What an entry promises: yes, no, or that the pipeline does it already."""
    if column in family.refused:
        return "no"
    if column in ("mask", "trim") and not family.pads:
        return "no padding"
    return "already" if column == "mask" and family.denoiser_masks else "yes"


def render(words: Mapping[str, Mapping[str, str]]) -> str:
    """The table, a line a pipeline."""
    lines = [_HEAD, "|---" * 10 + "|"]
    for name, family in known_families().items():
        by_column = words.get(name) or {column: word_of(family, column) for column in COLUMNS}
        cells = (
            f"`{name}`",
            "; ".join(map(_encoder, family.encoders)),
            "yes" if family.denoiser_masks else "no",
            f"joint, {family.attention}" if family.joint else "cross-attention",
            *(by_column[column] for column in COLUMNS),
            note_of(family),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _encoder(encoder) -> str:
    length = encoder.length or "as long as the prompt"
    mask = "masked" if encoder.masked else "no mask"
    pooled = ", pooled only" if encoder.feeds == "pooled" else ""
    return f"`{encoder.name}`: {length}, `{encoder.pad}`, {mask}{pooled}"


def note_of(family: Family) -> str:
    """The entry's note, and why something cannot be done."""
    reasons = dict.fromkeys(family.refused.values())
    return " ".join([family.note, *(f"Why not: {reason}." for reason in reasons)])


def table_of(page: str) -> str:
    """The table as it stands in a page."""
    (table,) = _TABLE.findall(page)
    return table
