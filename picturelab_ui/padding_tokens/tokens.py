"""The tokens of a prompt: read as it is typed, drawn as chips, and chosen by a click."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from padtone.interventions.ite import token_roles
from padtone.maths.roles import TokenRoles
from picturelab import bounds

from .. import messages
from ..events import AT_ONCE, QUIET, News
from ..forms import Form
from ..visitors import visitor_of
from ..workshop import Workshop
from .chips import chips
from .order import CHOSEN
from .views import PaddingTokensViews

_HOW_TO_CHOOSE = '<p class="soft">Click tokens to keep just those.</p>'


def read_tokens(workshop: Workshop, model: str, prompt: str) -> tuple[TokenRoles, ...]:
    """What each text encoder makes of a prompt.

    Raises:
        ValueError: the model is not allowed here, or padtone does not know it; the prompt is too long.
    """
    bounds.check_prompt("prompt", prompt)
    workshop.models.check(model, with_unet=False)
    with workshop.models.reader(model) as pipe:
        return token_roles(pipe, prompt)


async def tokens_of(workshop: Workshop, address: str, model: str, prompt: str) -> tuple[TokenRoles, ...]:
    """The same, waiting for the model without holding a thread. Raises what `read_tokens` does."""
    bounds.check_prompt("prompt", prompt)
    workshop.models.check(model, with_unet=False)
    await workshop.models.until_readable(model, f"reader {address}" if address else "")
    return await asyncio.to_thread(read_tokens, workshop, model, prompt)


def wire(workshop: Workshop, form: Form, views: PaddingTokensViews, named: Any) -> None:
    """The chips follow the prompt; those that are clicked become an arm."""
    prompt, model, arms = form["prompt"], form["model"], form["arms"]

    async def draw(inputs: Mapping[Any, Any], request: gr.Request | None = None) -> News:
        news: News = {views.chosen_rows: [], views.chosen_text: _HOW_TO_CHOOSE}
        if CHOSEN in inputs[arms]:
            news[arms] = _without_chosen(inputs[arms])
        try:
            address = visitor_of(request).address
            entries = await tokens_of(workshop, address, inputs[model], inputs[prompt] or "")
            news[views.chips] = chips(entries)
        except Exception as error:
            news |= {views.chips: messages.alert(error), views.chosen_text: ""}
        return news

    def choose(names: list[str], event: gr.EventData) -> News:
        rows = sorted(int(row) for row in event.rows)
        tokens = ", ".join(f"{event.rows[str(row)]} ({row})" for row in rows)
        return {
            views.chosen_rows: rows,
            views.chosen_text: messages.remark(f"Chosen: {tokens}.") if rows else _HOW_TO_CHOOSE,
            arms: _without_chosen(names) + ([CHOSEN] if rows else []),
        }

    inputs, changed = {prompt, model, arms}, [views.chosen_rows, views.chosen_text, arms]
    drawn = [views.chips, *changed]
    gr.on([prompt.change, model.change], draw, inputs, drawn, trigger_mode="always_last", **QUIET)
    named.then(draw, inputs, drawn, **QUIET)
    views.chips.select(choose, arms, changed, **AT_ONCE)


def _without_chosen(arms: Sequence[str]) -> list[str]:
    return [arm for arm in arms if arm != CHOSEN]
