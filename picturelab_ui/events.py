"""How the page's handlers are declared, and how they answer: with what is new, by component."""

from __future__ import annotations

from typing import Any

import gradio as gr

News = dict[Any, Any]  # {component: its new value, or an update of it}; the others stay as they are

# For `gr.on` and the like: no spinner over what may change, no endpoint for programs.
QUIET: dict[str, Any] = dict(show_progress="hidden", api_visibility="private")
AT_ONCE: dict[str, Any] = QUIET | dict(queue=False)


def answer(news: News) -> Any:
    """What a handler returns; Gradio takes an empty dictionary for an answer by position."""
    return news or gr.skip()
