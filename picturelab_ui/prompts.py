"""Prompts and what a model can read: those that the page offers, and a remark on those that people type."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from fouriscale.reports.validate import our_prompts
from picturelab import prompts, worlds

_MEANING = "it draws without them, as if one and the same unknown word stood there"


def readable(model: str, shapes: Sequence[str]) -> tuple[str, ...]:
    """`shapes` for a model of a toy world, which knows few words; for any other as many of ours."""
    return tuple(shapes) if worlds.split(model) else our_prompts()[: len(shapes)]


def unknown_words(model: str, prompt: str) -> gr.HTML:
    """A remark on words that a model of a toy world cannot read; hidden where there are none."""
    remark = prompts.unknown_words(model, prompt)
    if remark is None:
        return gr.HTML(visible=False)
    unknown, _, known = remark.partition("; ")
    return gr.HTML(
        f'<details class="soft" data-kept="words"><summary>{escape(unknown)}: {_MEANING}</summary>'
        f"<p>{escape(known)}</p></details>",
        visible=True,
    )
