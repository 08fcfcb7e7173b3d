"""The tokens of a prompt: read as it is typed, drawn as chips, and chosen by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
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
    """What each text encoder of a loaded model makes of a prompt.

    Raises:
        ValueError: the model is not loaded, or padtone does not know it.
    """
    return token_roles(workshop.models.reader(model), prompt)


async def tokens_of(workshop: Workshop, group: str, model: str, prompt: str) -> tuple[TokenRoles, ...]:
    """The same, once the model is loaded; until then no thread is held.

    Args:
        group: whose limits of loading and reading it counts for; "" has none.

    Raises:
        ValueError: the model is not allowed here, or padtone does not know it; the prompt is too long; the group has
            too many unread prompts.
    """
    bounds.check_prompt("prompt", prompt)
    workshop.models.check(model, for_fouriscale=False)
    await workshop.models.until_readable(model, group)
    return await workshop.readings.read(group, partial(read_tokens, workshop, model, prompt))


def wire(workshop: Workshop, form: Form, views: PaddingTokensViews, named: Any) -> None:
    """The chips follow the prompt; those that are clicked become an arm."""
    prompt, model, arms = form["prompt"], form["model"], form["arms"]

    async def draw(inputs: Mapping[Any, Any], request: gr.Request | None = None) -> News:
        news: News = {views.chosen_rows: [], views.chosen_text: _HOW_TO_CHOOSE}
        if CHOSEN in inputs[arms]:
            news[arms] = _without_chosen(inputs[arms])
        try:
            address = visitor_of(request).address
            group = f"browser's prompts {address}" if address else ""
            entries = await tokens_of(workshop, group, inputs[model], inputs[prompt] or "")
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
