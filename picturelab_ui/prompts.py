"""Prompts and what a model can read: those that the page offers, and a remark on those that people type."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from fouriscale.reports.validate import our_prompts
from picturelab import worlds


def readable(model: str, shapes: Sequence[str]) -> tuple[str, ...]:
    """`shapes` for a model of a toy world, which knows few words; for any other as many of ours."""
    return tuple(shapes) if worlds.split(model) else our_prompts()[: len(shapes)]


def unknown_words(model: str, prompt: str) -> gr.HTML:
    """A remark on words that a model of a toy world cannot read; hidden where there are none."""
    shipped = worlds.split(model)
    unknown = shipped[0].unknown_words(prompt) if shipped else []
    if not shipped or not unknown:
        return gr.HTML(visible=False)
    known = ", ".join(shipped[0].words())
    remark = f"This small model does not know {', '.join(unknown[:8])}. Its words are {known}."
    return gr.HTML(f'<p class="soft">{escape(remark)}</p>', visible=True)
